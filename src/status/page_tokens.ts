import type { TokenGauges } from "../telemetry/hsm_gauges.ts";
import { type Html, html, type HtmlValue } from "./html.ts";
import { section, table } from "./page_layout.ts";
import { countText, secondsText } from "./page_numbers.ts";

/** PKCS#11 tokens and their sessions; nothing where no key is in one. */
export function tokensSection(tokens: readonly TokenGauges[]): HtmlValue {
  if (tokens.length === 0) return "";
  const rows = tokens.map((token) =>
    html`
      <tr>
        <th scope="row" class="name">${token.token} <small>${token.serial}</small></th>
        <td>${stateOf(token)}</td>
        <td class="number">${countText(token.inUse)}<small> of ${countText(token.sessions)}, at most
          ${countText(token.maxSessions)}</small></td>
        <td class="number">${countText(token.waiting)}${token.oldestMs > 0
          ? html`<small> oldest ${secondsText(token.oldestMs / 1_000)}</small>`
          : ""}</td>
        <td class="number">${countText(token.exhausted)}</td>
        <td>${errorsOf(token)}</td>
      </tr>
    `
  );
  const columns = html`
    <th scope="col">Token</th>
    <th scope="col">State</th>
    <th scope="col" class="number">Sessions in use</th>
    <th scope="col" class="number">Waiting</th>
    <th scope="col" class="number">Waited in vain</th>
    <th scope="col">Errors</th>
  `;
  const caption = "Keys in hardware: sessions that sign, and what went wrong since the start";
  return section("tokens", "PKCS#11 tokens", table(caption, columns, rows));
}

function stateOf({ isUp, why }: TokenGauges): Html {
  if (isUp) return html`<span class="pill good">up</span>`;
  return html`<span class="pill bad">away</span> <small>${why ?? ""}</small>`;
}

function errorsOf({ errors }: TokenGauges): string {
  const counted = Object.entries(errors).toSorted(([, a], [, b]) => b - a);
  return counted.map(([name, count]) => `${name} ${countText(count)}`).join(", ") || "–";
}

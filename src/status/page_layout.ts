import { type Html, html, type HtmlValue } from "./html.ts";

/** A part of the page under a heading of its own. */
export function section(id: string, title: string, content: HtmlValue): Html {
  return html`<section aria-labelledby="${id}">
<h2 id="${id}">${title}</h2>
${content}
</section>`;
}

/** A table that scrolls by itself where it is too wide. */
export function table(caption: string, columns: Html, rows: readonly Html[]): Html {
  return html`
    <div class="scroll">
      <table>
        <caption>${caption}</caption>
        <thead>
          <tr>${columns}</tr>
        </thead>
        <tbody>
    ${rows}</tbody>
      </table>
    </div>
  `;
}

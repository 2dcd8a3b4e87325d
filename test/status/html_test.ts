import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { UNSAFE_CHARACTERS } from "../../src/errors/printable.ts";
import { Html, html } from "../../src/status/html.ts";

describe("html", () => {
  test("escapes what is put into it, for text and for attributes", () => {
    const hostile = `<script>alert("1")</script>&'`;
    assert.equal(
      html`<p title="${hostile}">${hostile}</p>`.markup,
      '<p title="&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;">' +
        "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;</p>",
    );
  });

  test("makes control characters and marks that turn text around visible", () => {
    assert.equal(
      html`${"a\u0000\u001b[31m\n\u202eb\ufeff"}`.markup,
      "a\\u{0}\\u{1b}[31m\\u{a}\\u{202e}b\\u{feff}",
    );
  });

  test("takes markup as it is, and lists of both", () => {
    const items = ["<a>", "b"].map((text) => html`<li>${text}</li>`);
    assert.equal(
      html`<ul>${items}${1}${new Html("<hr>")}</ul>`.markup,
      "<ul><li>&lt;a&gt;</li><li>b</li>1<hr></ul>",
    );
  });

  test("lets no text become markup", () => {
    fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
      const { markup } = html`${text}`;
      assert.doesNotMatch(markup, /[<>"']/);
      assert.doesNotMatch(markup, UNSAFE_CHARACTERS);
      assert.doesNotMatch(markup.replace(/&(?:amp|lt|gt|quot|#39);/g, ""), /&/);
    }));
  });
});

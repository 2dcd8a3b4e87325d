import { printable } from "../errors/printable.ts";

/** Markup, as opposed to text that is still to be escaped. */
export class Html {
  readonly markup: string;

  /** Use `html`. */
  constructor(markup: string) {
    this.markup = markup;
  }
}

/** What may stand in a template: text and numbers are escaped, markup is not. */
export type HtmlValue = string | number | Html | readonly HtmlValue[];

/**
 * A template of markup. Whatever is put into it is made printable and escaped, for text and for
 * quoted attributes, unless `html` made it.
 */
export function html(parts: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  return new Html(String.raw({ raw: parts }, ...values.map(markupOf)));
}

function markupOf(value: HtmlValue): string {
  if (value instanceof Html) return value.markup;
  if (typeof value === "object") return value.map(markupOf).join("");
  return printable(String(value)).replace(/[&<>"']/g, (character) => ESCAPES[character]!);
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

import { anchorOf } from "../../scripts/metrics_page.ts";

/** What stands between a heading and the next one of any level. */
export interface Section {
  readonly heading: string;
  readonly anchor: string;
  readonly text: string;
}

/** The sections of a page of Markdown. A line of a code block is no heading. */
export function sectionsOf(page: string): readonly Section[] {
  const sections: { heading: string; anchor: string; text: string }[] = [];
  let isCode = false;
  for (const line of page.split("\n")) {
    if (line.trimStart().startsWith("```")) isCode = !isCode;
    const heading = isCode ? undefined : /^#+ (.*)$/.exec(line)?.[1];
    if (heading !== undefined) sections.push({ heading, anchor: anchorOf(heading), text: "" });
    else if (sections.length > 0) sections.at(-1)!.text += `${line}\n`;
  }
  return sections;
}

/** The code blocks of a language, without their indentation, each with a line feed at its end. */
export function blocksOf(page: string, language: string): readonly string[] {
  const fences = page.matchAll(new RegExp(`^( *)\`\`\`${language}\n(.*?)^ *\`\`\`$`, "gms"));
  return Array.from(
    fences,
    ([, indent = "", block = ""]) =>
      block.split("\n").map((line) => line.replace(indent, "")).join("\n"),
  );
}

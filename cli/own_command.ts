import process from "node:process";
import { fileURLToPath } from "node:url";

/** What runs this program again: the executable, or a runtime and its arguments. */
export function ownCommand(): readonly string[] {
  const script = fileURLToPath(new URL("./main.ts", import.meta.url));
  if (isCompiled(script)) return [process.execPath];
  const run = process.versions["deno"] ? ["run", "-A", "--no-check"] : [];
  return [process.execPath, ...run, script];
}

/** Files inside an executable lie where no file system has any. */
function isCompiled(script: string): boolean {
  return script.startsWith("/$bunfs/");
}

/** `keyless` with a defect: an error that no command catches. The last argument says which kind. */
import process from "node:process";

const kind = process.argv.pop();
await import("../../cli/main.ts");
setTimeout(() => {
  const error = new TypeError("first\nsecond");
  if (kind === "throw") throw error;
  Promise.reject(error);
});
setTimeout(() => process.stdout.write("it lived on\n"), 20_000);

/** A worker that does what it is told. */
import process from "node:process";
import { parentPort } from "node:worker_threads";
import { answerQuestions } from "../../src/threads/questions.ts";

export type ObedientAnswers = {
  readonly double: (number: number) => number;
  readonly later: (text: string) => Promise<string>;
  readonly fail: (why: string) => never;
  readonly unsendable: () => () => void;
  readonly never: () => Promise<never>;
  readonly exit: () => never;
};

parentPort!.on("message", (order: unknown) => {
  if (order === "throw") throw new Error("told to throw");
  if (order === "exit") process.exit(7);
  if (order === null) parentPort!.postMessage(null);
});

answerQuestions<ObedientAnswers>(parentPort!, {
  double: (number) => number * 2,
  later: async (text) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return text;
  },
  fail: (why) => {
    throw new Error(why);
  },
  unsendable: () => () => {},
  never: () => new Promise(() => {}),
  exit: () => process.exit(0),
});

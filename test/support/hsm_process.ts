import process from "node:process";
import { fileURLToPath } from "node:url";
import { describePublicKey, type PublicKeyInfo } from "../../src/crypto/public_key.ts";
import type { Scheme } from "../../src/crypto/scheme.ts";
import { KeylessError } from "../../src/errors/errors.ts";
import type { SessionReply } from "../../src/hsm/batch.ts";
import { findKeys } from "../../src/hsm/key_listing.ts";
import { ModuleChannel, type ModuleChannelOptions } from "../../src/hsm/module_channel.ts";
import type { ModuleSession } from "../../src/hsm/module_session.ts";
import { PIN } from "./softhsm.ts";

/** Opens a module in a process of its own, from the sources, on the runtime that runs the test. */
export function openModule(
  path: string,
  options: Partial<ModuleChannelOptions> = {},
): ModuleChannel {
  const channel = new ModuleChannel({ command: moduleCommand(path), ...options });
  channel.on("error", () => {});
  return channel;
}

/** The program and arguments that hold a module. */
export function moduleCommand(path: string): readonly string[] {
  const main = fileURLToPath(new URL("../../cli/main.ts", import.meta.url));
  const run = process.versions["deno"] ? ["run", "-A", "--no-check"] : [];
  return [process.execPath, ...run, main, "pkcs11-module", path];
}

/** The slot of a token, logged in. */
export async function logIn(channel: ModuleChannel, label: string): Promise<number> {
  const slotId = await slotOf(channel, label);
  await channel.ask("openToken", { slotId, hasPin: true });
  await channel.ask("login", { slotId, pin: new TextEncoder().encode(PIN) });
  return slotId;
}

export async function slotOf(channel: ModuleChannel, label: string): Promise<number> {
  const slots = await channel.ask("slots", undefined);
  return slots.find(({ token }) => token?.label === label)!.slotId;
}

/** Keys of a token, by their labels, with the numbers that they are bound to. */
export type BoundKeys = ReadonlyMap<
  string,
  { readonly info: PublicKeyInfo; readonly handle: number }
>;

/** Binds all keys of a token to numbers from 0. */
export async function bindAll(channel: ModuleChannel, slotId: number): Promise<BoundKeys> {
  const keys = await findKeys(channel, slotId, {});
  await channel.ask("bindKeys", { keys: keys.map(({ handle }, number) => ({ number, handle })) });
  return new Map(keys.map(({ label, spki }, number) => {
    return [label, { info: describePublicKey(spki!), handle: number }];
  }));
}

/** Rejects with the KeylessError that a reply stands for; never settles where the session ends. */
export type Perform = (
  key: { readonly info: PublicKeyInfo; readonly handle: number },
  scheme: Scheme,
  bytes: Uint8Array,
) => Promise<Uint8Array>;

/** Has requests carried out by sessions in turn, which is read at each request. */
export function performOn(sessions: readonly ModuleSession[]): Perform {
  const waiting = new Map<ModuleSession, ((reply: SessionReply) => void)[]>();
  let turn = 0;
  return async ({ info, handle }, scheme, bytes) => {
    const session = sessions[turn++ % sessions.length]!;
    if (!waiting.has(session)) {
      waiting.set(session, []);
      session.onReplies((replies) => {
        for (const reply of replies) waiting.get(session)!.shift()!(reply);
      });
    }
    session.request([{ key: handle, bits: info.bits, scheme, bytes }]);
    const reply = await new Promise<SessionReply>((resolve) => waiting.get(session)!.push(resolve));
    if (reply.outcome === "made") return reply.bytes;
    throw new KeylessError(reply.outcome, new TextDecoder().decode(reply.bytes));
  };
}

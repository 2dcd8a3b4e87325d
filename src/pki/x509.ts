/**
 * @peculiar/x509, which needs reflect-metadata to be loaded before it. Nothing else imports it by
 * value: Bun runs two CommonJS packages that are imported statically in no certain order, but this
 * module's own imports before its body.
 */
import "reflect-metadata";

export const x509 = await import("@peculiar/x509");

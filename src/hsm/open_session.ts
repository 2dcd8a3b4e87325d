import { ckrOf } from "./cryptoki.ts";

/**
 * Opens a session for reading, which suffices to sign, and which write-protected tokens insist on. A
 * module that has none such (AWS CloudHSM, client SDK 5) is asked for one for writing. Modules say so
 * in different ways: what surely means another thing is not tried again.
 *
 * @param open takes the flags of C_OpenSession
 * @throws what the first try threw, where none succeeds
 */
export function openAnySession<Session>(open: (flags: number) => Session): Session {
  try {
    return open(CKF_SERIAL_SESSION);
  } catch (thrown) {
    if (NOT_MENDED_BY_WRITING.test(ckrOf(thrown) ?? "")) throw thrown;
    try {
      return open(CKF_SERIAL_SESSION | CKF_RW_SESSION);
    } catch {
      throw thrown;
    }
  }
}

const NOT_MENDED_BY_WRITING = /^CKR_(?:SESSION_COUNT|DEVICE_|TOKEN_|SLOT_|HOST_MEMORY|CRYPTOKI_)/;
const CKF_RW_SESSION = 2;
const CKF_SERIAL_SESSION = 4;

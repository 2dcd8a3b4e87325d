/*
 * A PKCS#11 module that hands every call on to another one, more slowly, and fails when it is told to.
 *
 *   SLOW_MODULE_REAL      the other module's file
 *   SLOW_MODULE_INIT_MS   how long C_SignInit sleeps first
 *   SLOW_MODULE_SIGN_MS   how long C_Sign sleeps first
 *   SLOW_MODULE_READ_MS   how long C_GetAttributeValue sleeps first
 *   SLOW_MODULE_ODD       C_GetAttributeValue fails for objects with this label, by
 *                         CKR_FUNCTION_FAILED
 *   SLOW_MODULE_FAULT     a file that C_Sign looks for: it removes it, and does once what it says:
 *                         "hang", "crash", "drop" all sessions of the token, or the number of a CKR
 *                         to return. With "always " before it the file stays
 *   SLOW_MODULE_TRIAL     the same in a session that C_Login was called in
 *   SLOW_MODULE_ONLY      faults are for keys with this label alone
 *   SLOW_MODULE_HANG_IN   "C_Initialize" or "C_GetSlotList", which then never returns
 *   SLOW_MODULE_FLAGS     added to those of every token
 *   SLOW_MODULE_SESSIONS  how many sessions may be opened in all; then it is CKR_SESSION_COUNT
 *   SLOW_MODULE_OPENS     a file that gets a byte for each C_OpenSession
 *   SLOW_MODULE_LOGINS    a file that gets a byte for each C_Login
 *   SLOW_MODULE_LOGIN     a file that each C_Login looks for, and does what it says: "hang", "crash",
 *                         "sleep" for a second, "print" the PIN, as text and as a dump, or the number of
 *                         a CKR to return
 *   SLOW_MODULE_NO_READER refuses sessions for reading alone, if it is set
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CK_PTR *
#define CK_DECLARE_FUNCTION(type, name) type name
#define CK_DECLARE_FUNCTION_POINTER(type, name) type(*name)
#define CK_CALLBACK_FUNCTION(type, name) type(*name)
#define NULL_PTR 0
#include "pkcs11.h"

static CK_FUNCTION_LIST slow;
static CK_FUNCTION_LIST *real;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* by session: whether C_Login was called in it, whether faults are for the key that it signs with */
enum { SESSIONS = 4096 };
static char has_login[SESSIONS];
static char is_meant[SESSIONS];

static void sleep_for(const char *variable) {
  const char *text = getenv(variable);
  long ms = text ? atol(text) : 0;
  struct timespec time = {ms / 1000, ms % 1000 * 1000000};
  if (ms > 0) nanosleep(&time, NULL);
}

static void count_in(const char *variable) {
  const char *path = getenv(variable);
  FILE *file = path ? fopen(path, "a") : NULL;
  if (!file) return;
  fputc('x', file);
  fclose(file);
}

static CK_RV drop(CK_SESSION_HANDLE session) {
  CK_SESSION_INFO info;
  CK_RV result = real->C_GetSessionInfo(session, &info);
  if (result == CKR_OK) real->C_CloseAllSessions(info.slotID);
  return CKR_SESSION_HANDLE_INVALID;
}

static CK_RV fault(CK_SESSION_HANDLE session) {
  const char *path = getenv(has_login[session % SESSIONS] ? "SLOW_MODULE_TRIAL"
                                                          : "SLOW_MODULE_FAULT");
  char what[32] = "";
  FILE *file = path && is_meant[session % SESSIONS] ? fopen(path, "r") : NULL;
  if (!file) return CKR_OK;
  size_t length = fread(what, 1, sizeof what - 1, file);
  fclose(file);
  if (strncmp(what, "always ", 7) == 0) return strtoul(what + 7, NULL, 0);
  if (length == 0 || unlink(path) != 0) return CKR_OK; /* another thread was first */
  if (strncmp(what, "drop", 4) == 0) return drop(session);
  if (strncmp(what, "crash", 5) == 0) *(volatile int *)8 = 0;
  while (strncmp(what, "hang", 4) == 0) pause();
  return strtoul(what, NULL, 0);
}

static int has_label(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object, const char *wanted) {
  char label[64];
  CK_ATTRIBUTE attribute = {CKA_LABEL, label, sizeof label};
  if (real->C_GetAttributeValue(session, object, &attribute, 1) != CKR_OK) return 0;
  return attribute.ulValueLen == strlen(wanted) && memcmp(label, wanted, strlen(wanted)) == 0;
}

static CK_RV slow_sign_init(CK_SESSION_HANDLE session, CK_MECHANISM_PTR mechanism,
                            CK_OBJECT_HANDLE key) {
  const char *only = getenv("SLOW_MODULE_ONLY");
  is_meant[session % SESSIONS] = !only || has_label(session, key, only);
  sleep_for("SLOW_MODULE_INIT_MS");
  return real->C_SignInit(session, mechanism, key);
}

static CK_RV slow_sign(CK_SESSION_HANDLE session, CK_BYTE_PTR data, CK_ULONG data_length,
                       CK_BYTE_PTR signature, CK_ULONG_PTR signature_length) {
  sleep_for("SLOW_MODULE_SIGN_MS");
  CK_RV failed = fault(session);
  CK_RV done = real->C_Sign(session, data, data_length, signature, signature_length);
  return failed == CKR_OK ? done : failed; /* done all the same: a failure ends the operation */
}

static CK_RV slow_get_attribute_value(CK_SESSION_HANDLE session, CK_OBJECT_HANDLE object,
                                      CK_ATTRIBUTE_PTR attributes, CK_ULONG count) {
  const char *odd = getenv("SLOW_MODULE_ODD");
  sleep_for("SLOW_MODULE_READ_MS");
  if (odd && has_label(session, object, odd)) return CKR_FUNCTION_FAILED;
  return real->C_GetAttributeValue(session, object, attributes, count);
}

static void hang_in(const char *function) {
  const char *wanted = getenv("SLOW_MODULE_HANG_IN");
  while (wanted && strcmp(wanted, function) == 0) pause();
}

static CK_RV slow_initialize(CK_VOID_PTR arguments) {
  hang_in("C_Initialize");
  return real->C_Initialize(arguments);
}

static CK_RV slow_get_slot_list(CK_BBOOL present, CK_SLOT_ID_PTR slots, CK_ULONG_PTR count) {
  hang_in("C_GetSlotList");
  return real->C_GetSlotList(present, slots, count);
}

static CK_RV slow_get_token_info(CK_SLOT_ID slot, CK_TOKEN_INFO_PTR info) {
  const char *flags = getenv("SLOW_MODULE_FLAGS");
  CK_RV result = real->C_GetTokenInfo(slot, info);
  if (result == CKR_OK && flags) info->flags |= strtoul(flags, NULL, 0);
  return result;
}

static CK_RV slow_open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR application,
                               CK_NOTIFY notify, CK_SESSION_HANDLE_PTR session) {
  static int opened;
  const char *most = getenv("SLOW_MODULE_SESSIONS");
  count_in("SLOW_MODULE_OPENS");
  if (getenv("SLOW_MODULE_NO_READER") && !(flags & CKF_RW_SESSION)) return CKR_FUNCTION_FAILED;
  if (most && __sync_add_and_fetch(&opened, 1) > atoi(most)) return CKR_SESSION_COUNT;
  CK_RV result = real->C_OpenSession(slot, flags, application, notify, session);
  if (result == CKR_OK) has_login[*session % SESSIONS] = 0;
  return result;
}

static CK_RV slow_login(CK_SESSION_HANDLE session, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin,
                        CK_ULONG length) {
  count_in("SLOW_MODULE_LOGINS");
  has_login[session % SESSIONS] = 1;
  char what[32] = "";
  FILE *file = getenv("SLOW_MODULE_LOGIN") ? fopen(getenv("SLOW_MODULE_LOGIN"), "r") : NULL;
  if (file) {
    fread(what, 1, sizeof what - 1, file);
    fclose(file);
  }
  if (strcmp(what, "crash") == 0) *(volatile int *)8 = 0;
  while (strcmp(what, "hang") == 0) pause();
  if (strcmp(what, "sleep") == 0) {
    sleep(1);
  } else if (strcmp(what, "print") == 0) {
    fprintf(stderr, "pPin[ulPinLen] %.*s\n00000000 ", (int)length, pin);
    for (CK_ULONG at = 0; at < length; at++) fprintf(stderr, " %02X", pin[at]);
    fprintf(stderr, "\nthat was the PIN\n");
  } else if (what[0]) {
    return strtoul(what, NULL, 0);
  }
  return real->C_Login(session, user, pin, length);
}

static void open_real(void) {
  const char *path = getenv("SLOW_MODULE_REAL");
  void *library = path ? dlopen(path, RTLD_NOW) : NULL;
  CK_RV (*get)(CK_FUNCTION_LIST_PTR_PTR) =
      library ? (CK_RV(*)(CK_FUNCTION_LIST_PTR_PTR))dlsym(library, "C_GetFunctionList") : NULL;
  if (!get || get(&real) != CKR_OK) return;
  slow = *real;
  slow.C_Initialize = slow_initialize;
  slow.C_GetSlotList = slow_get_slot_list;
  slow.C_GetTokenInfo = slow_get_token_info;
  slow.C_OpenSession = slow_open_session;
  slow.C_Login = slow_login;
  slow.C_GetAttributeValue = slow_get_attribute_value;
  slow.C_SignInit = slow_sign_init;
  slow.C_Sign = slow_sign;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
  pthread_once(&once, open_real);
  *list = &slow;
  return real ? CKR_OK : CKR_GENERAL_ERROR;
}

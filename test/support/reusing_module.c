/*
 * A PKCS#11 module that hands every call on to another one, and gives the handles of closed sessions to
 * new ones, as some tokens do. It prints "shared" where a thread uses a session that another opened.
 *
 *   REUSING_MODULE_REAL  the other module's file
 *   REUSING_MODULE_DROP  a file that C_Sign looks for: it removes it, closes all sessions of the token,
 *                        and returns CKR_DEVICE_REMOVED
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

enum { SESSIONS = 64, NO_SESSION = 0xffff };

static CK_FUNCTION_LIST own;
static CK_FUNCTION_LIST *real;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct {
  CK_SESSION_HANDLE session; /* the other module's; 0 where the handle is free */
  CK_SLOT_ID slot;
  pthread_t opener;
} held[SESSIONS];
static int drops;

static CK_SESSION_HANDLE real_of(CK_SESSION_HANDLE handle) {
  CK_SESSION_HANDLE session = NO_SESSION;
  pthread_mutex_lock(&mutex);
  if (handle < SESSIONS && held[handle].session) {
    session = held[handle].session;
    if (!pthread_equal(held[handle].opener, pthread_self())) {
      fprintf(stderr, "shared: session %lu\n", handle);
    }
  }
  pthread_mutex_unlock(&mutex);
  return session;
}

/* The highest of the few that were free, after a drop: so threads get each other's. */
static CK_SESSION_HANDLE free_handle(void) {
  for (int at = 1; at < SESSIONS; at++) {
    int handle = drops > 0 && at < 8 ? 8 - at : at;
    if (!held[handle].session) return handle;
  }
  return 0;
}

static void forget(CK_SLOT_ID slot) {
  for (int handle = 0; handle < SESSIONS; handle++) {
    if (held[handle].slot == slot) held[handle].session = 0;
  }
}

static CK_RV open_session(CK_SLOT_ID slot, CK_FLAGS flags, CK_VOID_PTR application,
                          CK_NOTIFY notify, CK_SESSION_HANDLE_PTR handle) {
  CK_SESSION_HANDLE session;
  CK_RV result = real->C_OpenSession(slot, flags, application, notify, &session);
  if (result != CKR_OK) return result;
  pthread_mutex_lock(&mutex);
  *handle = free_handle();
  held[*handle].session = session;
  held[*handle].slot = slot;
  held[*handle].opener = pthread_self();
  pthread_mutex_unlock(&mutex);
  return CKR_OK;
}

static CK_RV close_session(CK_SESSION_HANDLE handle) {
  CK_RV result = real->C_CloseSession(real_of(handle));
  if (handle < SESSIONS) held[handle].session = 0;
  return result;
}

static CK_RV close_all_sessions(CK_SLOT_ID slot) {
  pthread_mutex_lock(&mutex);
  forget(slot);
  pthread_mutex_unlock(&mutex);
  return real->C_CloseAllSessions(slot);
}

static CK_RV sign(CK_SESSION_HANDLE handle, CK_BYTE_PTR data, CK_ULONG data_length,
                  CK_BYTE_PTR signature, CK_ULONG_PTR signature_length) {
  const char *path = getenv("REUSING_MODULE_DROP");
  struct timespec time = {0, 3000000};
  nanosleep(&time, NULL);
  if (path && unlink(path) == 0) {
    drops++;
    close_all_sessions(held[handle].slot);
    return CKR_DEVICE_REMOVED;
  }
  return real->C_Sign(real_of(handle), data, data_length, signature, signature_length);
}

static CK_RV sign_init(CK_SESSION_HANDLE handle, CK_MECHANISM_PTR mechanism, CK_OBJECT_HANDLE key) {
  return real->C_SignInit(real_of(handle), mechanism, key);
}

static CK_RV login(CK_SESSION_HANDLE handle, CK_USER_TYPE user, CK_UTF8CHAR_PTR pin,
                   CK_ULONG length) {
  return real->C_Login(real_of(handle), user, pin, length);
}

/* That may be asked of any: it changes nothing. */
static CK_RV get_session_info(CK_SESSION_HANDLE handle, CK_SESSION_INFO_PTR info) {
  CK_SESSION_HANDLE session = handle < SESSIONS ? held[handle].session : 0;
  return session ? real->C_GetSessionInfo(session, info) : CKR_SESSION_HANDLE_INVALID;
}

static CK_RV find_objects_init(CK_SESSION_HANDLE handle, CK_ATTRIBUTE_PTR wanted, CK_ULONG count) {
  return real->C_FindObjectsInit(real_of(handle), wanted, count);
}

static CK_RV find_objects(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE_PTR objects, CK_ULONG most,
                          CK_ULONG_PTR count) {
  return real->C_FindObjects(real_of(handle), objects, most, count);
}

static CK_RV find_objects_final(CK_SESSION_HANDLE handle) {
  return real->C_FindObjectsFinal(real_of(handle));
}

static CK_RV get_attribute_value(CK_SESSION_HANDLE handle, CK_OBJECT_HANDLE object,
                                 CK_ATTRIBUTE_PTR attributes, CK_ULONG count) {
  return real->C_GetAttributeValue(real_of(handle), object, attributes, count);
}

static void open_real(void) {
  const char *path = getenv("REUSING_MODULE_REAL");
  void *library = path ? dlopen(path, RTLD_NOW) : NULL;
  CK_RV (*get)(CK_FUNCTION_LIST_PTR_PTR) =
      library ? (CK_RV(*)(CK_FUNCTION_LIST_PTR_PTR))dlsym(library, "C_GetFunctionList") : NULL;
  if (!get || get(&real) != CKR_OK) return;
  own = *real;
  own.C_OpenSession = open_session;
  own.C_CloseSession = close_session;
  own.C_CloseAllSessions = close_all_sessions;
  own.C_SignInit = sign_init;
  own.C_Sign = sign;
  own.C_Login = login;
  own.C_GetSessionInfo = get_session_info;
  own.C_FindObjectsInit = find_objects_init;
  own.C_FindObjects = find_objects;
  own.C_FindObjectsFinal = find_objects_final;
  own.C_GetAttributeValue = get_attribute_value;
}

CK_RV C_GetFunctionList(CK_FUNCTION_LIST_PTR_PTR list) {
  pthread_once(&once, open_real);
  *list = &own;
  return real ? CKR_OK : CKR_GENERAL_ERROR;
}

/*
 * The limit that a PKCS#11 module sets: threads that call C_SignInit and C_Sign, each in a session of
 * its own, and do nothing else. Prints signatures a second.
 *
 *     sign_loop MODULE TOKEN LABEL rsa|ec THREADS SECONDS    the PIN in the variable BENCH_PIN
 */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CK_PTR *
#define CK_DECLARE_FUNCTION(type, name) type name
#define CK_DECLARE_FUNCTION_POINTER(type, name) type(*name)
#define CK_CALLBACK_FUNCTION(type, name) type(*name)
#define NULL_PTR 0
#include <pkcs11.h>

#define MAX_THREADS 64

static CK_FUNCTION_LIST *module;
static CK_SLOT_ID slot;
static const char *label;
static int is_rsa;
static double end;

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

static void check(CK_RV result, const char *what) {
  if (result == CKR_OK) return;
  fprintf(stderr, "%s: 0x%lx\n", what, result);
  exit(1);
}

static void *sign(void *signatures) {
  CK_SESSION_HANDLE session;
  check(module->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session), "C_OpenSession");
  CK_OBJECT_CLASS class = CKO_PRIVATE_KEY;
  CK_ATTRIBUTE template[] = {{CKA_CLASS, &class, sizeof class},
                             {CKA_LABEL, (void *)label, strlen(label)}};
  CK_OBJECT_HANDLE key;
  CK_ULONG found;
  check(module->C_FindObjectsInit(session, template, 2), "C_FindObjectsInit");
  check(module->C_FindObjects(session, &key, 1, &found), "C_FindObjects");
  check(module->C_FindObjectsFinal(session), "C_FindObjectsFinal");
  if (found != 1) check(CKR_OBJECT_HANDLE_INVALID, label);
  CK_MECHANISM mechanism = {is_rsa ? CKM_RSA_PKCS : CKM_ECDSA, NULL, 0};
  CK_BYTE digest[51], made[1024]; /* SHA-256 in its DigestInfo */
  memset(digest, 7, sizeof digest);
  long count = 0;
  for (; now() < end; count++) {
    CK_ULONG length = sizeof made;
    check(module->C_SignInit(session, &mechanism, key), "C_SignInit");
    check(module->C_Sign(session, digest, is_rsa ? 51 : 32, made, &length), "C_Sign");
  }
  *(long *)signatures = count;
  return NULL;
}

static CK_SLOT_ID slot_of(const char *token) {
  CK_SLOT_ID slots[64];
  CK_ULONG count = 64;
  check(module->C_GetSlotList(CK_TRUE, slots, &count), "C_GetSlotList");
  for (CK_ULONG at = 0; at < count; at++) {
    CK_TOKEN_INFO info;
    check(module->C_GetTokenInfo(slots[at], &info), "C_GetTokenInfo");
    if (memcmp(info.label, token, strlen(token)) == 0) return slots[at];
  }
  check(CKR_TOKEN_NOT_PRESENT, token);
  return 0;
}

int main(int count, char **words) {
  if (count != 7 || !getenv("BENCH_PIN")) return 2;
  void *library = dlopen(words[1], RTLD_NOW);
  CK_RV (*get)(CK_FUNCTION_LIST **) =
      library ? (CK_RV(*)(CK_FUNCTION_LIST **))dlsym(library, "C_GetFunctionList") : NULL;
  if (!get) return 2;
  check(get(&module), "C_GetFunctionList");
  CK_C_INITIALIZE_ARGS arguments;
  memset(&arguments, 0, sizeof arguments);
  arguments.flags = CKF_OS_LOCKING_OK;
  check(module->C_Initialize(&arguments), "C_Initialize");
  slot = slot_of(words[2]);
  label = words[3];
  is_rsa = strcmp(words[4], "rsa") == 0;
  int threads = atoi(words[5]);
  if (threads < 1 || threads > MAX_THREADS) return 2;
  CK_SESSION_HANDLE session;
  check(module->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &session), "C_OpenSession");
  char *pin = getenv("BENCH_PIN");
  check(module->C_Login(session, CKU_USER, (CK_BYTE *)pin, strlen(pin)), "C_Login");
  double start = now();
  end = start + atof(words[6]);
  pthread_t running[MAX_THREADS];
  long signatures[MAX_THREADS], sum = 0;
  for (int at = 0; at < threads; at++) pthread_create(&running[at], NULL, sign, &signatures[at]);
  for (int at = 0; at < threads; at++) {
    pthread_join(running[at], NULL);
    sum += signatures[at];
  }
  printf("%.0f\n", sum / (now() - start));
  return 0;
}

/* PhantomJS 1.9.8 asks for the OpenSSL of 2014, gets today's, and crashes. Preloaded, this says that there is none. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>

void *dlopen(const char *file, int mode) {
  static void *(*real)(const char *, int);
  if (!real) real = dlsym(RTLD_NEXT, "dlopen");
  return file && (strstr(file, "libssl") || strstr(file, "libcrypto")) ? 0 : real(file, mode);
}

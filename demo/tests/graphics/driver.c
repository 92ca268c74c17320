/* Vulkan drivers that do what drivers must not. Compiled by the test, one library for each -DBAD_…; most hand everything else on to a driver that works
   (REAL, its file), and say that it is a graphics card, so that `--backend auto` wants it. Declarations are as in the Vulkan specification; only the fields
   that are touched are named. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))
#define INITIALIZATION_FAILED (-3)
#define DEVICE_LOST (-4)
#define DISCRETE_GPU 2

typedef void (*Function)(void);
typedef Function (*GetProc)(void *, const char *);

/* The compiler must not see that it leads nowhere, or it leaves the crash out. */
static int *volatile nowhere;

static void misbehave(void) {
#ifdef BAD_NULL
    *nowhere = 1;
#endif
#ifdef BAD_ABORT
    abort();
#endif
#ifdef BAD_EXIT
    _exit(0);
#endif
#ifdef BAD_HANG
    for (;;) pause();
#endif
#ifdef BAD_NOISE
    for (int i = 0; i < 100000; i++) fprintf(i % 2 ? stdout : stderr, "driver says %d\nvultus-graphics garbage\n", i);
    fflush(stdout);
#endif
}

static void *real(void) {
    static void *library;
    if (!library) library = dlopen(REAL, RTLD_NOW | RTLD_LOCAL);
    if (!library) _exit(77);
    return library;
}

static GetProc real_proc(const char *name) { return (GetProc)dlsym(real(), name); }

static Function next(void *instance, const char *name) { return real_proc("vk_icdGetInstanceProcAddr")(instance, name); }

static void *the_instance;
static GetProc get_device_proc;

/* VkPhysicalDeviceProperties: four words, then the type. */
static void get_properties(void *device, uint32_t *properties) {
    ((void (*)(void *, uint32_t *))next(the_instance, "vkGetPhysicalDeviceProperties"))(device, properties);
    properties[4] = DISCRETE_GPU;
}

/* VkPhysicalDeviceProperties2: type, padding, chain, then the same. */
static void get_properties2(void *device, uint32_t *properties) {
    ((void (*)(void *, uint32_t *))next(the_instance, "vkGetPhysicalDeviceProperties2"))(device, properties);
    properties[4 + 4] = DISCRETE_GPU;
}

static int create_device(void *physical, const void *info, const void *allocator, void **device) {
#ifdef BAD_DEVICE_CRASH
    *nowhere = 1;
#endif
#ifdef BAD_DEVICE_REFUSED
    (void)physical, (void)info, (void)allocator, (void)device;
    return INITIALIZATION_FAILED;
#else
    return ((int (*)(void *, const void *, const void *, void **))next(the_instance, "vkCreateDevice"))(physical, info, allocator, device);
#endif
}

/* Lost for good after so many pieces of work. */
static int submit(void *queue, uint32_t count, const void *submits, void *fence) {
    static int submitted;
    const char *after = getenv("LOSE_AFTER");
    if (after && ++submitted > atoi(after)) return DEVICE_LOST;
    Function real_submit = next(the_instance, "vkQueueSubmit");
    return ((int (*)(void *, uint32_t, const void *, void *))real_submit)(queue, count, submits, fence);
}

static Function device_proc(void *device, const char *name) {
    if (!strcmp(name, "vkQueueSubmit")) return (Function)submit;
    return get_device_proc(device, name);
}

static int create_instance(const void *info, const void *allocator, void **instance) {
    int result = ((int (*)(const void *, const void *, void **))next(0, "vkCreateInstance"))(info, allocator, instance);
    if (result == 0) the_instance = *instance;
    return result;
}

static Function ours(void *instance, const char *name) {
    if (!strcmp(name, "vkCreateInstance")) return (Function)create_instance;
    if (!strcmp(name, "vkGetPhysicalDeviceProperties")) return (Function)get_properties;
    if (!strcmp(name, "vkGetPhysicalDeviceProperties2") || !strcmp(name, "vkGetPhysicalDeviceProperties2KHR")) return (Function)get_properties2;
    if (!strcmp(name, "vkCreateDevice")) return (Function)create_device;
    if (!strcmp(name, "vkGetDeviceProcAddr")) {
        get_device_proc = (GetProc)next(instance, name);
        return (Function)device_proc;
    }
    return 0;
}

EXPORT Function vk_icdGetInstanceProcAddr(void *instance, const char *name) {
    Function function = ours(instance, name);
    return function ? function : next(instance, name);
}

EXPORT Function vk_icdGetPhysicalDeviceProcAddr(void *instance, const char *name) {
    Function function = ours(instance, name);
    if (function) return function;
    GetProc proc = real_proc("vk_icdGetPhysicalDeviceProcAddr");
    return proc ? proc(instance, name) : 0;
}

EXPORT int vk_icdNegotiateLoaderICDInterfaceVersion(uint32_t *version) {
    misbehave();
    return ((int (*)(uint32_t *))real_proc("vk_icdNegotiateLoaderICDInterfaceVersion"))(version);
}

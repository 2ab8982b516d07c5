/* A TensorFlow Lite external delegate for tests: it takes every RESHAPE and copies its bytes.
 *
 * Layouts are those of the public C interface (tensorflow/lite/core/c/common.h); members that are
 * not used here have no type of their own. Options: "fail" refuses with its value as the reason,
 * "take" = "nothing" takes no operator; whatever arrives is written to the file "log" names.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OK = 0, MMAP_RO = 1, RESHAPE = 22, DELEGATE = 51 };

typedef struct { int size; int data[]; } Ints;
typedef struct {
    int type; void *data; Ints *dims; float scale; int32_t zero_point; int allocation_type;
    size_t bytes; const void *allocation; const char *name; void *delegate; int buffer_handle;
    _Bool stale, variable; int quantization; void *parameters, *sparsity; const Ints *signature;
} Tensor;
typedef struct {
    Ints *inputs, *outputs, *intermediates, *temporaries; void *user_data, *builtin_data;
} Node;
typedef struct Context Context;
typedef struct {
    void *(*init)(Context *, const char *, size_t); void (*release)(Context *, void *);
    int (*prepare)(Context *, Node *); int (*invoke)(Context *, Node *); void *profiling;
    int32_t builtin_code; const char *name; int version; void *external, *async; uint64_t inplace;
} Registration;
typedef struct Delegate {
    void *data; int (*prepare)(Context *, struct Delegate *); void *copy_from, *copy_to, *release;
    int64_t flags; void *opaque;
} Delegate;
struct Context {
    size_t tensors_size; int (*plan)(Context *, Ints **); Tensor *tensors; void *implementation;
    void *resize, *report, *add; int (*node)(Context *, int, Node **, Registration **);
    int (*replace)(Context *, Registration, const Ints *, Delegate *);
};

static int ready(Context *context, Node *node) { return OK; }

static int copy(Context *context, Node *node) {
    for (int i = 0; i < node->outputs->size; i++) {
        Tensor *target = &context->tensors[node->outputs->data[i]];
        for (int j = 0; j < node->inputs->size; j++) {
            Tensor *source = &context->tensors[node->inputs->data[j]];
            if (source->allocation_type != MMAP_RO)
                memcpy(target->data, source->data, target->bytes);
        }
    }
    return OK;
}

static int take(Context *context, Delegate *self) {
    Ints *plan, *taken;
    if (context->plan(context, &plan) != OK) return 1;
    taken = calloc(1 + plan->size, sizeof(int));
    for (int i = 0; i < plan->size && !self->data; i++) {
        Node *node; Registration *registration;
        if (context->node(context, plan->data[i], &node, &registration) != OK) return 1;
        if (registration->builtin_code == RESHAPE) taken->data[taken->size++] = plan->data[i];
    }
    Registration kernel = { .prepare = ready, .invoke = copy, .builtin_code = DELEGATE,
                            .name = "copying", .version = 1 };
    int status = context->replace(context, kernel, taken, self);
    free(taken);
    return status;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count,
                                        void (*report)(const char *)) {
    Delegate *self = calloc(1, sizeof *self);
    self->prepare = take;
    FILE *log = NULL;
    for (size_t i = 0; i < count; i++) {
        if (!strcmp(keys[i], "log")) log = fopen(values[i], "w");
        if (!strcmp(keys[i], "take")) self->data = self;
        if (!strcmp(keys[i], "fail")) { report(values[i]); free(self); return NULL; }
    }
    for (size_t i = 0; i < count && log; i++) fprintf(log, "%s=%s\n", keys[i], values[i]);
    if (log) fclose(log);
    return self;
}

void tflite_plugin_destroy_delegate(Delegate *self) { free(self); }

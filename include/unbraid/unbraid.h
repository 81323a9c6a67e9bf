/* Unbraid for programs in C, and in every language that can call C.
 *
 *   unbraid_context* context = NULL;
 *   unbraid_method* method = NULL;
 *   if (unbraid_context_open(0, &context) != UNBRAID_OK || unbraid_method_open(NULL, &method) != UNBRAID_OK ||
 *       unbraid_separate_file(context, method, "song.mp3", "stems/song", NULL) != UNBRAID_OK)
 *     fprintf(stderr, "%s\n", unbraid_last_error());
 *   unbraid_method_close(method);
 *   unbraid_context_close(context);
 *
 * Audio is planar float, one array per channel, full scale ±1. Texts are UTF-8 and end with a zero; those that a function
 * gives belong to the library. Handles that are given back stay NULL where a function fails. Every function that can fail
 * returns a status; no function throws, prints or ends the process. What a function may return besides stands beside it;
 * UNBRAID_USAGE (a NULL that must not be one, a value out of range), UNBRAID_RESOURCE and UNBRAID_INTERNAL are possible
 * everywhere.
 *
 * Where libtorch's BLAS has threads of its own (Debian's OpenBLAS), a program should set the environment variable
 * OMP_WAIT_POLICY=passive before its first network: it takes half the time.
 *
 * One call at a time may use a context, its streams, and a method that unbraid_method_set() changes. Different contexts
 * may be used in different threads, also with one method. */
#ifndef UNBRAID_H
#define UNBRAID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum unbraid_status {
  UNBRAID_OK = 0,
  UNBRAID_USAGE = 1,       /* an unknown name, a value out of range, a call that makes no sense */
  UNBRAID_NOT_FOUND = 2,   /* a file, folder or model that is not there */
  UNBRAID_IO = 3,          /* reading or writing failed */
  UNBRAID_FORMAT = 4,      /* damaged, or not what it claims to be; samples that are not finite */
  UNBRAID_UNSUPPORTED = 5, /* valid input that this method or build cannot handle */
  UNBRAID_RESOURCE = 6,    /* memory or threads */
  UNBRAID_CANCELLED = 7,
  UNBRAID_INTERNAL = 8 /* a bug */
} unbraid_status;

/* "0.1.0" */
const char* unbraid_version(void);
/* Why this thread's last call that could fail did: one line; "" where it did not. Stands until the thread's next such call. */
const char* unbraid_last_error(void);

/* ---- What work is given: threads, somebody to tell, a way to be stopped ---- */

typedef struct unbraid_context unbraid_context;

/* threads: 0 means as many as this process may use. */
unbraid_status unbraid_context_open(size_t threads, unbraid_context** context);
/* Not while a stream of it is open. NULL does nothing. */
void unbraid_context_close(unbraid_context* context);

/* stage: what is going on ("separate"); unit: what is counted ("frames"); total: 0 when unknown. May be called from any thread
 * of the context, by one at a time. */
typedef void (*unbraid_progress)(void* user, const char* stage, const char* unit, uint64_t done, uint64_t total);
/* NULL: nobody is told. */
void unbraid_context_on_progress(unbraid_context* context, unbraid_progress progress, void* user);
/* Work that goes on with this context ends soon with UNBRAID_CANCELLED, and all later work at once. May be called at any time
 * from any thread, or from a signal handler. */
void unbraid_context_cancel(unbraid_context* context);

/* ---- How to separate ---- */

/* Methods that need no files: "classic4", "hpss", … NULL at the end of the list. */
const char* unbraid_builtin_method(size_t index);

typedef struct unbraid_method unbraid_method;

/* name: a method, a model on this machine, or a path to weights or to a recipe of several (YAML), as `unbraid separate -m`
 * takes it. NULL: the default. Weights are loaded here, once. UNBRAID_USAGE or UNBRAID_NOT_FOUND, with the names that are alike;
 * UNBRAID_FORMAT, UNBRAID_IO, UNBRAID_UNSUPPORTED. */
unbraid_status unbraid_method_open(const char* name, unbraid_method** method);
/* Streams that were opened with it stay whole. NULL does nothing. */
void unbraid_method_close(unbraid_method* method);

const char* unbraid_method_name(const unbraid_method* method);
/* Names in output order, NULL behind the last one. Of a method whose stems a parameter decides it may be none: a stream says. */
const char* unbraid_method_stem(const unbraid_method* method, size_t index);

typedef struct unbraid_parameter {
  const char* name;        /* "kernel_frames" */
  const char* help;        /* one line */
  const char* unit;        /* "Hz", "s", "dB"; "" for ratios and counts */
  const char* type;        /* "bool", "integer", "number" or "text" */
  const char* value;       /* the present one, as text; "" where one is required and none was set */
  double minimum, maximum; /* inclusive; infinite where there is none */
} unbraid_parameter;

/* UNBRAID_USAGE behind the last one. The texts stand until unbraid_method_set() or unbraid_method_close(). */
unbraid_status unbraid_method_parameter(const unbraid_method* method, size_t index, unbraid_parameter* parameter);
/* For streams and separations that begin later. UNBRAID_USAGE for an unknown name or a value out of range: nothing changes. */
unbraid_status unbraid_method_set(unbraid_method* method, const char* name, const char* value);

typedef struct unbraid_options {
  double overlap;      /* of blocks, 0 <= overlap < 1; negative: the method's own */
  size_t shifts;       /* average this many runs at random places; 0: one run, not shifted */
  uint64_t seed;       /* of everything random */
  bool augment;        /* average with the runs on the inverted and on the channel-swapped recording */
  bool consistent;     /* make the stems add up to the mixture */
  bool overwrite;      /* unbraid_separate_file: replace files that exist */
  uint64_t max_memory; /* unbraid_separate_file: bytes; more is refused with UNBRAID_RESOURCE; 0: no limit */
} unbraid_options;

/* What NULL in place of options means. */
void unbraid_options_init(unbraid_options* options);

/* ---- Files ---- */

/* Writes <folder>/<stem>.<ending> and <folder>/manifest.json, all or nothing, in the format of the input. UNBRAID_NOT_FOUND,
 * UNBRAID_IO (also where files are in the way), UNBRAID_FORMAT, UNBRAID_UNSUPPORTED, UNBRAID_CANCELLED. */
unbraid_status unbraid_separate_file(unbraid_context* context, const unbraid_method* method, const char* input, const char* folder,
                                     const unbraid_options* options);

/* ---- Memory ---- */

/* mix[channel][frame] at sample_rate Hz, a whole number; stems[stem · channels + channel][frame] is filled, of every stem that
 * unbraid_method_stem() names. UNBRAID_FORMAT, UNBRAID_UNSUPPORTED, UNBRAID_CANCELLED. */
unbraid_status unbraid_separate(unbraid_context* context, const unbraid_method* method, const float* const* mix, size_t channels,
                                size_t frames, double sample_rate, const unbraid_options* options, float* const* stems);

/* ---- Streams ----
 *
 *   while ((n = record(channels))) {
 *     unbraid_stream_push(stream, channels, n);
 *     while (unbraid_stream_take(stream, &n) == UNBRAID_OK && n > 0) play(unbraid_stream_stem(stream, 0, 0), n);
 *   }
 *   unbraid_stream_finish(stream);
 *   while (unbraid_stream_take(stream, &n) == UNBRAID_OK && n > 0) …
 *
 * The same samples come out, in pieces, as from unbraid_separate(). Methods that need the whole track give all at the end. A
 * stream in which separation has failed goes on failing. */

typedef struct unbraid_stream unbraid_stream;

/* The context must outlive it. UNBRAID_UNSUPPORTED also for models that want the level of the whole recording first:
 * unbraid_separate() and unbraid_separate_file() know it. */
unbraid_status unbraid_stream_open(unbraid_context* context, const unbraid_method* method, double sample_rate, size_t channels,
                                   const unbraid_options* options, unbraid_stream** stream);
void unbraid_stream_close(unbraid_stream* stream);

/* frames: one array per channel. UNBRAID_FORMAT, UNBRAID_CANCELLED. */
unbraid_status unbraid_stream_push(unbraid_stream* stream, const float* const* frames, size_t count);
/* The recording ends here. */
unbraid_status unbraid_stream_finish(unbraid_stream* stream);
/* The next piece; *frames is 0 where there is none yet. UNBRAID_CANCELLED. */
unbraid_status unbraid_stream_take(unbraid_stream* stream, size_t* frames);

/* Names in output order, NULL behind the last one. */
const char* unbraid_stream_stem_name(const unbraid_stream* stream, size_t index);
/* Of the piece that was taken last: that many frames, until the next take. NULL for a stem or channel that is not there. */
const float* unbraid_stream_stem(const unbraid_stream* stream, size_t stem, size_t channel);
const float* unbraid_stream_mix(const unbraid_stream* stream, size_t channel);

#ifdef __cplusplus
}
#endif

#endif

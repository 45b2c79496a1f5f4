/** A host for tests: it records the request, and answers as the test says. */
#ifndef SENDBOX_TESTING_HOST_H
#define SENDBOX_TESTING_HOST_H

#include "../src/internal.h"

#ifdef __cplusplus
extern "C" {
#endif

/** What the host does at the next exchange, and what it saw at the last one. */
typedef struct {
    const sb_request *request; /**< NULL where none was made. */
    int requests;
    bool answers; /**< With `response`; with `error` and `words` where not. */
    sb_response response;
    sb_http_error error;
    const char *words;
    uint64_t now;
    const char *uuid;
    const char *mail;                  /**< What was submitted last; accepted with "queued". */
    const sb_signing_refusal *refusal; /**< Why it does not sign; NULL where it does. */
} sb_host;

extern sb_host sb_test_host;

/** Sets the answer: a status code and a body, without headers. */
void sb_host_answers(uint16_t status, const char *body);

#ifdef __cplusplus
}
#endif

#endif

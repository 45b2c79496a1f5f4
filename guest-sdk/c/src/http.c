/** Requests that a connector describes, and the responses that it reads. */

#include <string.h>

#include "internal.h"

sb_request *sb_request_new(const char *method, const char *url)
{
    sb_request *request = sb_alloc(sizeof *request);
    request->method = method;
    request->url = url;
    return request;
}

void sb_header(sb_request *request, const char *name, const char *value)
{
    if (value == NULL) {
        return;
    }
    if (request->header_count == SB_HEADERS_MAX) {
        sb_fail(sb_failure_new(SB_REJECTED, "the request has too many headers"));
        return;
    }
    request->headers[request->header_count++] = (sb_pair){name, value};
}

void sb_body(sb_request *request, const char *content_type, const void *bytes, size_t size)
{
    sb_header(request, "content-type", content_type);
    request->body = bytes;
    request->body_size = size;
}

sb_request *sb_post_json(const char *url, const sb_json *value)
{
    sb_request *request = sb_request_new("POST", url);
    const char *text = sb_json_print(value);
    sb_body(request, "application/json", text, strlen(text));
    return request;
}

/** Pairs as `application/x-www-form-urlencoded` (WHATWG URL). */
static const char *form_of(const sb_pair *pairs)
{
    sb_buffer form = {0};
    for (; pairs != NULL && pairs->name != NULL; pairs++) {
        if (pairs->value != NULL) {
            sb_add_text(&form, form.size > 0 ? "&" : "");
            sb_add_encoded(&form, pairs->name, "*-._", true);
            sb_add_byte(&form, '=');
            sb_add_encoded(&form, pairs->value, "*-._", true);
        }
    }
    return sb_taken(&form);
}

sb_request *sb_post_form(const char *url, const sb_pair *pairs)
{
    sb_request *request = sb_request_new("POST", url);
    const char *form = form_of(pairs);
    sb_body(request, "application/x-www-form-urlencoded", form, strlen(form));
    return request;
}

sb_request *sb_get(const char *url, const sb_pair *query)
{
    const char *form = form_of(query);
    return sb_request_new("GET", sb_concat(url, *form == '\0' ? "" : "?", form, NULL));
}

static void set_credential(sb_request *request, sb_credential_kind kind, const char *name,
                           const char *value)
{
    request->credential_kind = kind;
    request->credential = (sb_pair){name, value == NULL ? "" : value};
}

void sb_basic(sb_request *request, const char *user, const char *password)
{
    set_credential(request, SB_BASIC, user == NULL ? "" : user, password);
}

void sb_bearer(sb_request *request, const char *token)
{
    set_credential(request, SB_BEARER, "", token);
}

void sb_secret_header(sb_request *request, const char *name, const char *value)
{
    set_credential(request, SB_SECRET_HEADER, name, value);
}

void sb_timeout(sb_request *request, uint32_t milliseconds)
{
    request->timeout = milliseconds;
}

/** Refuses what would end a header line: the settings' field is wrong, not the message. */
static void check_header(sb_pair header)
{
    for (const char *at = header.value; *at != '\0'; at++) {
        if (sb_is_control((unsigned char)*at) && *at != '\t') {
            const char *words = "a header value must not contain control characters";
            sb_fail(sb_invalid_settings(header.name, words));
            return;
        }
    }
}

const sb_response *sb_fetch(const sb_request *request)
{
    for (size_t i = 0; request != NULL && i < request->header_count; i++) {
        check_header(request->headers[i]);
    }
    if (request != NULL && request->credential_kind == SB_SECRET_HEADER) {
        check_header(request->credential);
    }
    if (request == NULL) {
        sb_fail(sb_failure_new(SB_REJECTED, "the connector made no request"));
    }
    if (sb_failed()) {
        return NULL;
    }
    sb_response *response = sb_alloc(sizeof *response);
    sb_http_error error;
    const char *words = NULL;
    if (!sb_exchange(request, response, &error, &words)) {
        sb_fail(sb_failure_of_http(error, words));
        return NULL;
    }
    return response;
}

const char *sb_response_header(const sb_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++) {
        if (sb_same(response->headers[i].name, name)) {
            return response->headers[i].value;
        }
    }
    return NULL;
}

const char *sb_response_text(const sb_response *response)
{
    const bool marked = response->body_size >= 3 && memcmp(response->body, "\xEF\xBB\xBF", 3) == 0;
    const size_t skipped = marked ? 3 : 0;
    return sb_text_of(response->body + skipped, response->body_size - skipped);
}

const sb_json *sb_response_json(const sb_response *response)
{
    return sb_json_parse(sb_response_text(response));
}

bool sb_is_success(const sb_response *response)
{
    return response->status >= 200 && response->status < 300;
}

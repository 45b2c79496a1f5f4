/** The component: the contract's exports, the host's functions, and the way between their types. */

/* For `getentropy`. */
#define _GNU_SOURCE

#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "convert.h"

/** What the host frees after it has read it is allocated by itself. */
static void *given(size_t size)
{
    void *memory = malloc(size > 0 ? size : 1);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

/** A text for the host, which takes nothing but UTF-8. */
static wit_text text_for_host(const char *text)
{
    const char *checked = sb_text_of(text == NULL ? "" : text, text == NULL ? 0 : strlen(text));
    const size_t size = strlen(checked);
    return (wit_text){memcpy(given(size), checked, size), size};
}

static wit_option option_for_host(const char *text)
{
    return text == NULL ? (wit_option){0} : (wit_option){true, text_for_host(text)};
}

/* ---- describe ---- */

static connector_list_tuple2_string_string_t tagged_for_host(const sb_tagged *texts, size_t room)
{
    connector_list_tuple2_string_string_t list = {given(room * sizeof(wit_pair)), 0};
    for (; list.len < room && texts[list.len].tag != NULL; list.len++) {
        const sb_tagged text = texts[list.len];
        list.ptr[list.len] = (wit_pair){text_for_host(text.tag), text_for_host(text.text)};
    }
    return list;
}

#define COUNT_OF(array) (sizeof(array) / sizeof *(array))

void exports_sendbox_connector_send_message_describe(sendbox_connector_types_connector_info_t *info)
{
    const sb_about *about = &sendbox_connector.about;
    sb_reset();
    info->id = text_for_host(about->id);
    info->channel = about->channel == SB_EMAIL ? SENDBOX_CONNECTOR_TYPES_CHANNEL_EMAIL
                                               : SENDBOX_CONNECTOR_TYPES_CHANNEL_SMS;
    info->version = text_for_host(about->version);
    info->titles = tagged_for_host(about->titles, COUNT_OF(about->titles));
    info->descriptions = tagged_for_host(about->descriptions, COUNT_OF(about->descriptions));
    info->settings_schema = text_for_host(about->settings_schema);
    info->readme = text_for_host(about->readme);

    const size_t hosts = COUNT_OF(about->hosts);
    info->hosts = (connector_list_string_t){given(hosts * sizeof(wit_text)), 0};
    for (; info->hosts.len < hosts && about->hosts[info->hosts.len] != NULL; info->hosts.len++) {
        info->hosts.ptr[info->hosts.len] = text_for_host(about->hosts[info->hosts.len]);
    }
    const size_t grants = COUNT_OF(about->secret_grants);
    sendbox_connector_types_secret_grant_t *list = given(grants * sizeof *list);
    size_t count = 0;
    for (; count < grants && about->secret_grants[count].setting != NULL; count++) {
        const sb_secret_grant grant = about->secret_grants[count];
        list[count] = (sendbox_connector_types_secret_grant_t){
            text_for_host(grant.setting), grant.query, grant.body, grant.signing};
    }
    info->secret_grants = (sendbox_connector_types_list_secret_grant_t){list, count};
}

/* ---- send ---- */

static const sb_content *content_from_host(const sendbox_connector_types_content_t *given_content)
{
    sb_content *content = sb_alloc(sizeof *content);
    content->subject = text_from_host(given_content->subject);
    content->body = text_from_host(given_content->body);
    content->plain = given_content->content_type == SENDBOX_CONNECTOR_TYPES_CONTENT_TYPE_TEXT_PLAIN;
    content->text = option_from_host(given_content->text);
    content->reply_to = option_from_host(given_content->reply_to);
    content->send_from = option_from_host(given_content->send_from);
    return content;
}

bool exports_sendbox_connector_send_message_send(connector_string_t *settings,
                                                 sendbox_connector_types_message_t *message,
                                                 sendbox_connector_types_receipt_t *receipt,
                                                 sendbox_connector_types_failure_t *failure)
{
    sb_reset();
    sb_message ours = {
        .recipient = text_from_host(message->recipient),
        .usage_type = text_from_host(message->usage_type),
        .locale = option_from_host(message->locale),
        .client_ip = option_from_host(message->client_ip),
        .content = message->content.is_some ? content_from_host(&message->content.val) : NULL,
        .idempotency_key = text_from_host(message->idempotency_key),
        .expires_in = message->expires_in,
    };
    const sb_outcome outcome =
        sb_send(&sendbox_connector, (const char *)settings->ptr, settings->len, &ours,
                (const char *)message->payload.ptr, message->payload.len);
    connector_string_free(settings);
    sendbox_connector_types_message_free(message);
    if (outcome.sent) {
        receipt->provider_message_id = option_for_host(outcome.receipt.provider_message_id);
        receipt->detail = option_for_host(outcome.receipt.detail);
        return true;
    }
    /* The kinds have the contract's order. */
    failure->kind = (sendbox_connector_types_failure_kind_t)outcome.failure.kind;
    failure->code = option_for_host(outcome.failure.code);
    failure->message = text_for_host(outcome.failure.message);
    failure->retry_after.is_some = outcome.failure.retry_after != SB_NO_DELAY;
    failure->retry_after.val = outcome.failure.retry_after;
    return false;
}

/* ---- What the host does ---- */

static sendbox_connector_http_credential_t credential_of(const sb_request *request)
{
    sendbox_connector_http_credential_t credential = {.tag =
                                                          SENDBOX_CONNECTOR_HTTP_CREDENTIAL_NONE};
    switch (request->credential_kind) {
    case SB_NO_CREDENTIAL:
        break;
    case SB_BASIC:
        credential.tag = SENDBOX_CONNECTOR_HTTP_CREDENTIAL_BASIC;
        credential.val.basic = lent_pair(request->credential);
        break;
    case SB_BEARER:
        credential.tag = SENDBOX_CONNECTOR_HTTP_CREDENTIAL_BEARER;
        credential.val.bearer = lent(request->credential.value);
        break;
    case SB_SECRET_HEADER:
        credential.tag = SENDBOX_CONNECTOR_HTTP_CREDENTIAL_HEADER;
        credential.val.header = lent_pair(request->credential);
        break;
    }
    return credential;
}

static void take_response(sb_response *ours, const sendbox_connector_http_response_t *response)
{
    sb_pair *headers = sb_alloc(response->headers.len * sizeof *headers);
    for (size_t i = 0; i < response->headers.len; i++) {
        headers[i] = (sb_pair){text_from_host(response->headers.ptr[i].f0),
                               text_from_host(response->headers.ptr[i].f1)};
    }
    ours->status = response->status;
    ours->headers = headers;
    ours->header_count = response->headers.len;
    ours->body = sb_copy(response->body.ptr, response->body.len);
    ours->body_size = response->body.len;
}

bool sb_exchange(const sb_request *request, sb_response *response, sb_http_error *error,
                 const char **words)
{
    wit_pair *headers = sb_alloc(request->header_count * sizeof *headers);
    for (size_t i = 0; i < request->header_count; i++) {
        headers[i] = lent_pair(request->headers[i]);
    }
    sendbox_connector_http_request_t asked = {
        .method = lent(request->method),
        .url = lent(request->url),
        .headers = {headers, request->header_count},
        .body = {(uint8_t *)request->body, request->body_size},
        .credential = credential_of(request),
        .timeout = {request->timeout > 0, request->timeout},
    };
    sendbox_connector_http_response_t answer;
    sendbox_connector_http_http_error_t refusal;
    if (!sendbox_connector_http_send(&asked, &answer, &refusal)) {
        /* The errors have the contract's order. */
        *error = (sb_http_error)refusal.tag;
        *words =
            *error == SB_HTTP_INVALID_REQUEST ? text_from_host(refusal.val.invalid_request) : NULL;
        sendbox_connector_http_http_error_free(&refusal);
        return false;
    }
    take_response(response, &answer);
    sendbox_connector_http_response_free(&answer);
    return true;
}

void sb_log(sb_log_level level, const char *text)
{
    wit_text line = lent(text);
    sendbox_connector_log_log((sendbox_connector_log_level_t)level, &line);
}

uint64_t sb_now(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

const char *sb_uuid(void)
{
    static const char hex[] = "0123456789abcdef";
    unsigned char random[16];
    char text[36];
    if (getentropy(random, sizeof random) != 0) {
        abort();
    }
    random[6] = (unsigned char)(0x40 | (random[6] & 0x0F));
    random[8] = (unsigned char)(0x80 | (random[8] & 0x3F));
    for (size_t i = 0, at = 0; i < sizeof random; i++) {
        if (at == 8 || at == 13 || at == 18 || at == 23) {
            text[at++] = '-';
        }
        text[at++] = hex[random[i] >> 4];
        text[at++] = hex[random[i] & 15];
    }
    return sb_copy(text, sizeof text);
}

/**
 * What the author of a Sendbox connector in C or C++ includes.
 *
 * A connector is one `sb_connector`: what it is, its settings, how a message becomes a request, and
 * how a response becomes a receipt or a failure. The SDK does the rest.
 *
 * Memory: whatever a function here returns lives until the send ends; nothing is ever freed by
 * hand.
 *
 * Failures: a function that fails notes why (`sb_fail`), and returns something empty that is safe
 * to use. The first failure noted is what came of the send, and nothing is sent after it. So there
 * is nothing to check after each call.
 *
 * Texts: UTF-8, ending in NUL. A U+0000 inside a JSON text is handed over as U+FFFD. Where a text
 * may be missing, NULL stands for it.
 *
 * Secrets in the settings are placeholders here; the host fills them in on the way out.
 */
#ifndef SENDBOX_H
#define SENDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sendbox_file.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SB_NULL_ENDS __attribute__((sentinel))
#else
#define SB_NULL_ENDS
#endif

/* ---- Failures and receipts ------------------------------------------------------------------ */

/** The kinds of failure that the host knows how to treat. */
typedef enum {
    SB_INVALID_SETTINGS,   /**< The settings cannot work; the message names the field. */
    SB_TEMPLATE_NOT_FOUND, /**< No template for the usage type, here or at the provider. */
    SB_REJECTED,           /**< The recipient or the content is refused for good. */
    SB_UNAUTHORIZED,       /**< The credentials are refused. */
    SB_THROTTLED,          /**< Refused until later, because of a rate or quota. */
    SB_UNAVAILABLE,        /**< Not accepted, and a later attempt may succeed. */
    SB_UNKNOWN             /**< The provider may have accepted. */
} sb_failure_kind;

/** `retry_after` where the provider asks for no delay. */
#define SB_NO_DELAY UINT64_MAX

/** Why a message was not accepted. */
typedef struct {
    sb_failure_kind kind;
    const char *code;    /**< The provider's, or the status code; may be NULL; 64 bytes are kept. */
    const char *message; /**< In words, without secrets; 4 KiB are kept. */
    uint64_t retry_after; /**< Milliseconds that the provider asks to wait, or `SB_NO_DELAY`. */
} sb_failure;

/** The provider accepted the message. */
typedef struct {
    const char *provider_message_id; /**< The provider's name for it; may be NULL. */
    const char *detail;              /**< The provider's own words; may be NULL. */
} sb_receipt;

/** A failure in words, without a code. */
sb_failure sb_failure_new(sb_failure_kind kind, const char *message);

/** `invalid-settings`: the field cannot work, and why. Never repeats a value: it may be a secret.
 */
sb_failure sb_invalid_settings(const char *field, const char *words);

/** Notes why this send fails. Only the first failure counts. */
void sb_fail(sb_failure failure);

/** `sb_fail` where a receipt is to be returned. */
sb_receipt sb_refused(sb_failure failure);

/** Whether a failure has been noted in this send. */
bool sb_failed(void);

/* ---- Texts ---------------------------------------------------------------------------------- */

/** Zeroed memory until the send ends. Traps where the component's memory is used up. */
void *sb_alloc(size_t size);

/** The texts one behind the other. The list ends with NULL. */
const char *sb_concat(const char *first, ...) SB_NULL_ENDS;

/** Whether both are texts, and the same. */
bool sb_same(const char *a, const char *b);

/** A number as decimal text. */
const char *sb_decimal(int64_t number);

/** Percent-encoded as one segment of a URL's path, as JavaScript's `encodeURIComponent` does. */
const char *sb_path_segment(const char *text);

/** The text on one line: each run of control characters and the blanks around it is one space. */
const char *sb_one_line(const char *text);

/* ---- JSON ----------------------------------------------------------------------------------- */

/** What a JSON value is. */
typedef enum { SB_NULL, SB_BOOL, SB_NUMBER, SB_STRING, SB_ARRAY, SB_OBJECT } sb_json_type;

/** One value of a JSON text. Objects keep the order of their keys; a repeated key is its last
 * value. */
typedef struct sb_json sb_json;

/** Reads a JSON text (RFC 8259) of at most 1 MiB and 128 levels; NULL where it is none. */
const sb_json *sb_json_parse(const char *text);

/** The value without blanks, as JavaScript's `JSON.stringify` prints it. */
const char *sb_json_print(const sb_json *value);

/** What a value is; `SB_NULL` for one that is missing (NULL). */
sb_json_type sb_json_type_of(const sb_json *value);

/** The member of an object, or NULL where there is none. */
const sb_json *sb_member(const sb_json *object, const char *name);

/** The first item of an array or member of an object, or NULL. */
const sb_json *sb_first(const sb_json *container);

/** The value behind this one in its array or object, or NULL. */
const sb_json *sb_next(const sb_json *value);

/** The name of a member, or NULL for what is none. */
const char *sb_name(const sb_json *member);

/** A string's text, or NULL where the value is none. */
const char *sb_string(const sb_json *value);

/** A number without fraction, such as a provider's code, or `otherwise`. */
int64_t sb_integer(const sb_json *value, int64_t otherwise);

/** Whether the value is `true`. */
bool sb_is_true(const sb_json *value);

/** New values. A text that is NULL makes a `null`. */
sb_json *sb_object(void);
sb_json *sb_array(void);
sb_json *sb_text(const char *text);
sb_json *sb_number(int64_t number);
sb_json *sb_bool(bool flag);

/** Puts a copy of the value behind an object's members, in the place of one of that name. */
void sb_put(sb_json *object, const char *name, const sb_json *value);

/** Puts a text; nothing where it is NULL. */
void sb_put_text(sb_json *object, const char *name, const char *text);

/** Puts a copy of the value behind an array's items. */
void sb_append(sb_json *array, const sb_json *value);

/* ---- Settings ------------------------------------------------------------------------------- */

/** A required text of the settings; "" and `invalid-settings` where it is missing. */
const char *sb_need_text(const sb_json *object, const char *name);

/** An optional text; NULL where it is missing, `invalid-settings` where it is no text. */
const char *sb_optional_text(const sb_json *object, const char *name);

/**
 * A template list. Each entry is an object with `usageType` and the named text fields; `Register`,
 * `SignIn`, `ForgotPassword` and `Generic` must be there. The list of fields ends with NULL.
 */
const sb_json *sb_need_templates(const sb_json *object, const char *name, ...) SB_NULL_ENDS;

/** A web address that somebody typed, as the absolute URL that goes on the wire. */
const char *sb_need_url(const sb_json *object, const char *name);

/* ---- Messages ------------------------------------------------------------------------------- */

/** A text in place of the settings' templates. */
typedef struct {
    const char *subject;
    const char *body;
    bool plain;            /**< Whether the body is plain text, and not HTML. */
    const char *text;      /**< Plain text of the same beside an HTML body; may be NULL. */
    const char *reply_to;  /**< May be NULL. */
    const char *send_from; /**< A display name, a mailbox, or `Name <mailbox>`; may be NULL. */
} sb_content;

/** One message for one recipient. */
typedef struct {
    const char *recipient;       /**< E-mail address, or phone number as the caller gave it. */
    const char *usage_type;      /**< One of nine, or a name to treat as `Generic`. */
    const sb_json *payload;      /**< Template variables: an object. */
    const char *locale;          /**< BCP 47 tag; may be NULL. */
    const char *client_ip;       /**< Of the person that asked for the message; may be NULL. */
    const sb_content *content;   /**< As the caller gave it; may be NULL. See `sb_content_of`. */
    const char *idempotency_key; /**< The same over all attempts of one message. */
    uint64_t expires_in;         /**< Milliseconds until the message expires. */
    /** The settings' `unescapedHtml`: values stand in HTML as they are, markup included, as in Logto's connectors. */
    bool unescaped_html;
} sb_message;

/** An address, and the name that stands before it. */
typedef struct {
    const char *address;
    const char *name; /**< "" where there is none. */
} sb_mailbox;

/** The first template for the usage type, else for `Generic`; else `template-not-found`. */
const sb_json *sb_choose(const sb_json *templates, const char *usage_type);

/** The first template for exactly this usage type; else `template-not-found`. */
const sb_json *sb_choose_exact(const sb_json *templates, const char *usage_type);

/** The template, plain text, with the message's variables, `{{ name.of.a.value }}`, filled in as they are. */
const char *sb_render(const sb_message *message, const char *template_text);

/** The template, HTML, with the message's variables filled in: a value is text there and never markup. */
const char *sb_render_html(const sb_message *message, const char *template_text);

/** `sb_render` on one line: for subjects and names. */
const char *sb_render_line(const sb_message *message, const char *template_text);

/** The overriding text with its variables filled in, or NULL where there is none. No value becomes markup or an
 * address. */
const sb_content *sb_content_of(const sb_message *message);

/** The overriding text, else that of the template: `subject`, `content` and `type` or
 * `contentType`. */
const sb_content *sb_mail_text(const sb_message *message, const sb_json *templates);

/** The overriding text's body, else the chosen template's `content`. */
const char *sb_sms_text(const sb_message *message, const sb_json *templates);

/** What a mail has of HTML and of plain text; NULL where it has none. */
const char *sb_html(const sb_content *content);
const char *sb_plain(const sb_content *content);

/** Reads `Name <address>`, an address, or a name alone; what is missing is `address` and `name`. */
sb_mailbox sb_mailbox_parse(const char *text, const char *address, const char *name);

/** `Name <address>`, or the address alone. */
const char *sb_mailbox_text(sb_mailbox mailbox);

/** Who sends: the overriding text's `send_from`, else the settings' own `address` and `name`. */
sb_mailbox sb_sender(const sb_message *message, const char *address, const char *name);

/** Where answers go, where the overriding text says so with an address of its own; else NULL. */
const char *sb_reply_to(const sb_message *message);

/* ---- HTTP ----------------------------------------------------------------------------------- */

/** One HTTP request. */
typedef struct sb_request sb_request;

/** A name and its value. */
typedef struct {
    const char *name;
    const char *value;
} sb_pair;

/** One buffered HTTP response. */
typedef struct {
    uint16_t status;
    const sb_pair *headers; /**< Names in lower case. */
    size_t header_count;
    const char *body; /**< At most 1 MiB; ends in NUL behind its `body_size` bytes. */
    size_t body_size;
} sb_response;

/** A request without headers or body; a method such as "POST". */
sb_request *sb_request_new(const char *method, const char *url);

/** A POST of JSON. */
sb_request *sb_post_json(const char *url, const sb_json *value);

/** A POST of a form. The list ends with a name that is NULL; a pair whose value is NULL is left
 * out. */
sb_request *sb_post_form(const char *url, const sb_pair *pairs);

/** A GET with the pairs as the URL's query. */
sb_request *sb_get(const char *url, const sb_pair *query);

/** Adds a header; nothing where the value is NULL. At most 100. */
void sb_header(sb_request *request, const char *name, const char *value);

/** Sets the body's bytes, and their content type. */
void sb_body(sb_request *request, const char *content_type, const void *bytes, size_t size);

/** Sends the secret in `authorization`, or in a header of its own; a request has one credential. */
void sb_basic(sb_request *request, const char *user, const char *password);
void sb_bearer(sb_request *request, const char *token);
void sb_secret_header(sb_request *request, const char *name, const char *value);

/** Milliseconds for the whole exchange; the send's deadline by default. */
void sb_timeout(sb_request *request, uint32_t milliseconds);

/** The value of the first header of that lower-case name, or NULL. */
const char *sb_response_header(const sb_response *response, const char *name);

/** The body as text, without a byte order mark; what is no UTF-8 becomes U+FFFD. */
const char *sb_response_text(const sb_response *response);

/** The body as JSON, or NULL where it is none. */
const sb_json *sb_response_json(const sb_response *response);

/** Whether the status code is 2xx. */
bool sb_is_success(const sb_response *response);

/** What a status code outside 2xx says. */
sb_failure_kind sb_kind_of_status(uint16_t status);

/** What a response says by its status code, its `Retry-After` and the start of its body. */
sb_failure sb_failure_from(const sb_response *response);

/** What the provider's own code and words stand for; words may be NULL, the delay is kept. */
sb_failure sb_failure_of_provider(const sb_response *response, sb_failure_kind kind,
                                  const char *code, const char *words);

/** A 2xx without the answer that the provider's documents promise: it may have accepted. */
sb_failure sb_failure_unreadable(const sb_response *response);

/* ---- The host ------------------------------------------------------------------------------- */

/** Makes one exchange; NULL and a failure where there is no response. For `send` only. */
const sb_response *sb_fetch(const sb_request *request);

/** How much a line of the timeline matters. */
typedef enum { SB_DEBUG, SB_INFO, SB_WARN, SB_ERROR } sb_log_level;

/** Writes a line to the tenant's timeline. The host redacts secrets. */
void sb_log(sb_log_level level, const char *text);

/** Milliseconds since the Unix epoch. */
uint64_t sb_now(void);

/** A random UUID (RFC 9562, version 4), new on every call. */
const char *sb_uuid(void);

/* ---- The connector -------------------------------------------------------------------------- */

/** What a message travels by. */
typedef enum { SB_EMAIL, SB_SMS } sb_channel;

/** A text in one language. */
typedef struct {
    const char *tag; /**< BCP 47. */
    const char *text;
} sb_tagged;

/** A request to place one secret outside headers and credentials. */
typedef struct {
    const char *setting; /**< JSON pointer of the secret in the settings, such as `/apiKey`. */
    bool query;          /**< In the query of a URL. */
    bool body;           /**< In a body. */
    bool signing;        /**< As key material for signing. */
} sb_secret_grant;

/** What a connector says of itself. A list ends where an entry is left out. */
typedef struct {
    const char *id; /**< Lower-case ASCII letters, digits and `-`; 1 to 64 bytes. */
    sb_channel channel;
    const char *version;         /**< Semantic version. */
    sb_tagged titles[16];        /**< Names; the first is the default. */
    sb_tagged descriptions[16];  /**< One paragraph each. */
    const char *settings_schema; /**< JSON Schema 2020-12; see `SB_FILE`. */
    const char *hosts[32];       /**< To reach: names, or `{settings:/pointer}`. */
    sb_secret_grant secret_grants[16];
    const char *readme; /**< How to set it up, in Markdown; see `SB_FILE`. */
} sb_about;

/** The parts of a connector. */
typedef struct {
    /** What it is. */
    sb_about about;
    /** Reads the settings; what it returns is handed to the other parts. */
    const void *(*settings)(const sb_json *settings);
    /** How a message becomes a request. */
    sb_request *(*request)(const void *settings, const sb_message *message);
    /** How a 2xx response becomes a receipt; an empty one where it is NULL. */
    sb_receipt (*receipt)(const sb_response *response);
    /** How any other response becomes a failure; by its status code where it is NULL. */
    sb_failure (*failure)(const sb_response *response);
    /** For a connector of more than one exchange: all of the send, in place of the three above. */
    sb_receipt (*send)(const void *settings, const sb_message *message);
} sb_connector;

/** The connector that a component is: its author defines it. */
extern const sb_connector sendbox_connector;

#ifdef __cplusplus
}
#endif

#endif

/** What the SDK's own files share, and its host and tests call. */
#ifndef SENDBOX_INTERNAL_H
#define SENDBOX_INTERNAL_H

#include "sendbox.h"
#include "sendbox_mail.h"
#include "sendbox_sign.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Memory and texts (memory.c, text.c) ---- */

/** Frees what `sb_alloc` gave since the last call. */
void sb_free_all(void);

/** A text that grows. All zeroes is an empty one. */
typedef struct {
    char *data;
    size_t size;
    size_t room;
} sb_buffer;

void sb_add(sb_buffer *buffer, const void *bytes, size_t size);
void sb_add_byte(sb_buffer *buffer, char byte);
void sb_add_text(sb_buffer *buffer, const char *text);

/** The bytes so far, with a NUL behind them. */
char *sb_taken(sb_buffer *buffer);

/** Bytes as a text: what is no UTF-8, and U+0000, becomes U+FFFD. */
const char *sb_text_of(const void *bytes, size_t size);

/** A copy of the bytes, with a NUL behind them. */
char *sb_copy(const void *bytes, size_t size);

/** The size in bytes of the character at the start of the text, and whether it is white space. */
size_t sb_space(const char *text);

bool sb_is_control(unsigned char byte);
bool sb_is_digit(char c);
/** Whether the text is a host's name: labels of 1 to 63 ASCII letters, digits, `-` and `_`. */
bool sb_is_name(const char *text);

bool sb_starts_with(const char *text, const char *prefix);

/** The text without control characters and blanks around it: what a header takes. */
const char *sb_without_controls(const char *text);

/** Percent-encodes all but letters, digits and the `kept` characters; a space as `+` for forms. */
void sb_add_encoded(sb_buffer *buffer, const char *text, const char *kept, bool form);

/* ---- JSON (json_*.c, number.c, double.c) ---- */

#define SB_JSON_BYTES_MAX (1024 * 1024)
#define SB_JSON_LEVELS_MAX 128
#define SB_JSON_VALUES_MAX 65536

struct sb_json {
    sb_json_type type;
    bool truth;
    size_t size;      /**< Of `text`, which may hold NULs. */
    const char *text; /**< A string's bytes, or a number as it was written. */
    size_t name_size;
    const char *name; /**< A member's. */
    sb_json *first;
    sb_json *last;
    sb_json *next;
    const sb_json *parent;
};

const sb_json *sb_json_read(const char *text, size_t size);
const sb_json *sb_member_sized(const sb_json *object, const char *name, size_t size);

/** Hangs a value into an array or object, behind the others. */
void sb_hang(sb_json *container, sb_json *value);

/** The value in the place of another one, whose name it takes. */
void sb_replace(sb_json *place, const sb_json *value);

/** Gives repeated names their last value, and the members JavaScript's order. */
void sb_order_members(sb_json *object);

/** The name as an array index (ECMA-262, 6.1.7), or -1. */
int64_t sb_array_index(const char *name, size_t size);

/** A double without its sign: `mantissa` times two to the `exponent`. */
typedef struct {
    uint64_t mantissa;
    int exponent;
} sb_double;

/** A decimal number: zero, a point, the digits, times ten to the `point`. No zeroes around them. */
typedef struct {
    const char *digits;
    size_t count;
    int point;
} sb_digits;

/** The double nearest to a decimal number (IEEE 754, ties to even); a mantissa of 0 is zero. */
sb_double sb_nearest_double(sb_digits decimal);

/** The fewest digits, at most 17, that are nearest to this double, written to `digits`. */
sb_digits sb_shortest_digits(sb_double number, int point, char digits[17]);

/** A number of a JSON text as JavaScript prints it; `Infinity` beyond its range. */
const char *sb_number_text(const char *text, size_t size);

/* ---- Sending (template.c, message.c, failure.c, send.c) ---- */

/** Adds a value as it stands at its place. */
typedef void sb_writer(sb_buffer *out, const char *value, size_t size);

void sb_render_into(sb_buffer *out, const char *text, const sb_json *payload, sb_writer *write);

/** The value as a path such as `templates[0].content`; "settings" for the whole. */
const char *sb_path_of(const sb_json *value);

/** What somebody typed as a URL for the wire; or NULL and why not, without the address. */
const char *sb_canonical_url(const char *typed, const char **why);

/** The words without the message's recipient, code and link. */
const char *sb_concealed(const sb_message *message, const char *words);

/** Why there is no response, in the contract's order. */
typedef enum {
    SB_HTTP_DENIED,
    SB_HTTP_INVALID_REQUEST,
    SB_HTTP_DNS,
    SB_HTTP_CONNECT,
    SB_HTTP_TLS,
    SB_HTTP_TIMEOUT,
    SB_HTTP_INTERRUPTED,
    SB_HTTP_RESPONSE_TOO_LARGE
} sb_http_error;

/** Where a request puts its secret, in the contract's order. */
typedef enum { SB_NO_CREDENTIAL, SB_BASIC, SB_BEARER, SB_SECRET_HEADER } sb_credential_kind;

#define SB_HEADERS_MAX 100

struct sb_request {
    const char *method;
    const char *url;
    sb_pair headers[SB_HEADERS_MAX];
    size_t header_count;
    const void *body;
    size_t body_size;
    sb_credential_kind credential_kind;
    sb_pair credential; /**< User and password, or header and value; of a token the value. */
    uint32_t timeout;   /**< 0 where none is set. */
};

/** Frees all memory of the last send, and forgets its failure. */
void sb_reset(void);

/** The failure noted first, where there is one. */
sb_failure sb_noted(void);

sb_failure sb_failure_of_http(sb_http_error error, const char *words);

/** What came of a send. */
typedef struct {
    bool sent;
    sb_receipt receipt; /**< Where it was sent. */
    sb_failure failure; /**< Where it was not. */
} sb_outcome;

/**
 * Sends one message, once. `message` lacks its payload, which comes as JSON; the failure is without
 * the message's recipient, code and link in its words.
 */
sb_outcome sb_send(const sb_connector *connector, const char *settings, size_t settings_size,
                   sb_message *message, const char *payload, size_t payload_size);

/** The host's exchange: true and a response, or false, an error and perhaps its words. */
bool sb_exchange(const sb_request *request, sb_response *response, sb_http_error *error,
                 const char **words);

/* ---- Mail (mime.c, mail.c) ---- */

/** Appends the bytes in base64 (RFC 4648). */
void sb_add_base64(sb_buffer *out, const char *bytes, size_t size);

/** Why a mail was not taken, in the contract's order. */
typedef enum {
    SB_SMTP_NOT_SUPPORTED,
    SB_SMTP_DENIED,
    SB_SMTP_INVALID_REQUEST,
    SB_SMTP_DNS,
    SB_SMTP_CONNECT,
    SB_SMTP_TLS,
    SB_SMTP_UNAUTHORIZED,
    SB_SMTP_REJECTED,
    SB_SMTP_DEFERRED,
    SB_SMTP_TIMEOUT,
    SB_SMTP_INTERRUPTED
} sb_smtp_error;

/** What a server answered; of an error without an answer the words alone, or "". */
typedef struct {
    uint16_t code;
    const char *enhanced; /**< RFC 3463; may be NULL. */
    const char *text;
} sb_smtp_reply;

sb_failure sb_failure_of_smtp(sb_smtp_error error, const sb_smtp_reply *reply);

/** The host's submission: true and a reply, or false, an error and its words or reply. */
bool sb_submission(const sb_server *server, const char *mail_from, const char *rcpt_to,
                   const char *mail, sb_smtp_reply *reply, sb_smtp_error *error);

/* ---- Dates (date.c) ---- */

/** A moment as `Fri, 02 Jan 2026 03:04:05 +0000` (RFC 5322, 3.3), and as `20260102T030405Z`. */
const char *sb_mail_date(uint64_t milliseconds);
const char *sb_basic_date(uint64_t milliseconds);

/* ---- Signing (sha256.c, sign.c, sigv4.c) ---- */

#define SB_SHA256_BYTES 32

void sb_sha256(const void *data, size_t size, uint8_t *digest);

/** The host knows its keys by a handle; a test's host has the bytes. */
struct sb_key {
    int32_t handle;
    sb_signature material;
};

/** Why there is no signature, in the contract's order. */
typedef enum {
    SB_SIGNING_NOT_SUPPORTED,
    SB_SIGNING_DENIED,
    SB_SIGNING_INVALID_KEY,
    SB_SIGNING_LIMIT
} sb_signing_error;

/** An error, and its words; NULL where it has none of its own. */
typedef struct {
    sb_signing_error error;
    const char *words;
} sb_signing_refusal;

/** The host's signing: true and a key or a signature, or false and a refusal. */
bool sb_host_key(const char *prefix, const char *secret, const char *suffix, sb_key *key,
                 sb_signing_refusal *refusal);
bool sb_host_derive(const sb_key *key, const char *text, sb_key *derived,
                    sb_signing_refusal *refusal);
bool sb_host_sign(const sb_key *key, sb_algorithm algorithm, const char *text,
                  sb_signature *signature, sb_signing_refusal *refusal);

#ifdef __cplusplus
}
#endif

#endif

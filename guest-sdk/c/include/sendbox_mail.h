/**
 * For connectors that speak SMTP: composing a mail, and submitting it. Beside `sendbox.h`, whose
 * rules for memory and failures hold here too.
 */
#ifndef SENDBOX_MAIL_H
#define SENDBOX_MAIL_H

#include "sendbox.h"

#ifdef __cplusplus
extern "C" {
#endif

/** One mail. Text and HTML together become alternatives of one another. */
typedef struct {
    sb_mailbox from;        /**< Who sends; the address is one of `sb_address`. */
    const char *to;         /**< To whom; one of `sb_address`. */
    sb_mailbox reply_to;    /**< Where answers go; without an address where that is the sender. */
    const char *subject;    /**< Put on one line. */
    const char *text;       /**< The body in plain text; may be NULL. */
    const char *html;       /**< The body in HTML; may be NULL. */
    const sb_pair *headers; /**< More headers; the list ends with a NULL name; may be NULL. */
    /** What makes the `Message-ID` its own: the idempotency key; a random one by default. */
    const char *id;
} sb_mail;

/**
 * One mail address with its domain in lower case; NULL where the text is NULL or no address, more
 * than one, or could end an envelope command or a header. A domain beyond ASCII is to be written in
 * A-labels.
 */
const char *sb_address(const char *text);

/**
 * The mail's text (RFC 5322, MIME) with CRLF at the ends of its lines, in ASCII but for an address
 * that is not. A header cannot be injected: no control character reaches one. A header that a mail
 * cannot have is `invalid-settings`.
 */
const char *sb_compose(const sb_mail *mail);

/** Whether and when TLS begins. */
typedef enum {
    SB_TLS,           /**< From the first byte (RFC 8314). */
    SB_STARTTLS,      /**< STARTTLS (RFC 3207), required. */
    SB_OPPORTUNISTIC, /**< STARTTLS where the server offers it; credentials never leave in clear. */
    SB_CLEAR          /**< Plain text; only where the operator allows it. */
} sb_security;

/** A server and how to speak to it. What is NULL or 0 is the host's choice. */
typedef struct {
    const char *host;
    uint16_t port;
    sb_security security;
    const char *server_name; /**< Name in the certificate, where it is not `host`. */
    const char *user;        /**< NULL where the server wants no login. */
    const char *password;    /**< May be a placeholder. */
    const char *mechanism;   /**< `PLAIN`, `LOGIN` or `CRAM-MD5`. */
    const char *token;       /**< OAuth 2 access token, in the place of a password. */
    const char *name;        /**< EHLO name. */
    const char *local_address;
    uint32_t connect_timeout; /**< Milliseconds. */
    uint32_t command_timeout; /**< Milliseconds for each reply. */
} sb_server;

/**
 * Submits a mail to one recipient: the server's words, or NULL and a failure. For `send` only. The
 * addresses are those of `sb_address`, and one that is none never reaches the host; an empty
 * `mail_from` is the null path.
 */
const char *sb_submit(const sb_server *server, const char *mail_from, const char *rcpt_to,
                      const char *mail);

#ifdef __cplusplus
}
#endif

#endif

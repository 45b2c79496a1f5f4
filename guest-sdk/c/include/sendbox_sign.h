/**
 * For connectors whose provider asks for signatures: keys made of secrets that a component never
 * sees. Beside `sendbox.h`, whose rules for memory and failures hold here too.
 *
 * A component that calls these asks for the host's signing, which an operator sees. `about` asks
 * for each secret in `secret_grants`, and the secret's entry in the settings schema says as
 * `x-derivations` how often a key made of it is derived before it signs: four times for
 * `sb_sigv4`. Where the host refuses, `invalid-settings` is noted.
 */
#ifndef SENDBOX_SIGN_H
#define SENDBOX_SIGN_H

#include "sendbox.h"

#ifdef __cplusplus
extern "C" {
#endif

/** How a key signs. */
typedef enum {
    SB_HMAC_SHA1,   /**< HMAC with SHA-1 (RFC 2104). */
    SB_HMAC_SHA256, /**< HMAC with SHA-256. */
    SB_RSA_SHA256   /**< RSA PKCS #1 v1.5 (RFC 8017); a private key in PEM. Not in native tests. */
} sb_algorithm;

/**
 * A key made of a secret; NULL where there is none. It derives or signs, never both, and each of
 * the two is one of the 16 that a send has.
 */
typedef struct sb_key sb_key;

/** The key prefix + secret + suffix; the secret is a setting, as it is. */
const sb_key *sb_key_of(const char *prefix, const char *secret, const char *suffix);

/** HMAC-SHA-256 of the text under the key, as a new key. */
const sb_key *sb_derive(const sb_key *key, const char *text);

/** A signature's bytes. */
typedef struct {
    const uint8_t *bytes;
    size_t size; /**< 0 where there is none. */
} sb_signature;

/** The text's signature. */
sb_signature sb_sign(const sb_key *key, sb_algorithm algorithm, const char *text);

/** The bytes in lower-case hexadecimal digits, and in base64 (RFC 4648). */
const char *sb_hex(sb_signature signature);
const char *sb_base64(sb_signature signature);

/** An access key of AWS, and what a signature is valid for besides its day. */
typedef struct {
    const char *id;
    const char *secret; /**< A placeholder, in a component. */
    const char *region; /**< Such as `eu-central-1`. */
    const char *service;
} sb_aws;

/**
 * Signs the whole request, its headers included, by AWS Signature Version 4: it adds `x-amz-date`,
 * `x-amz-content-sha256` and `authorization`. Nothing in the request may be a placeholder: the host
 * fills it in later.
 *
 * The URL is put into the form of `sb_need_url`. It has no query, and in its path nothing needs
 * encoding and no segment but the last is empty: any other one is refused, because services differ
 * in how they sign it.
 *
 * https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html, read
 * 2026-11-21.
 */
void sb_sigv4(sb_request *request, const sb_aws *aws);

#ifdef __cplusplus
}
#endif

#endif

/** Keys and signatures: what the host makes of them, and what its refusal means. */

#include <string.h>

#include "internal.h"

/** Notes why there is no signature. */
static void refused(sb_signing_refusal refusal)
{
    static const struct {
        const char *code;
        const char *words;
    } known[] = {
        {"not-supported", "this host does not sign"},
        {"denied", "the host does not sign with this secret, or not after so many derivations"},
        {"invalid-key", "the secret is no key of the algorithm"},
        {"limit", "over the limit of signatures"},
    };
    const char *own = known[refusal.error].words;
    const char *words = sb_concat("signing: ", refusal.words == NULL ? own : refusal.words, NULL);
    sb_fail((sb_failure){SB_INVALID_SETTINGS, known[refusal.error].code, words, SB_NO_DELAY});
}

const sb_key *sb_key_of(const char *prefix, const char *secret, const char *suffix)
{
    if (sb_failed()) {
        return NULL;
    }
    sb_key *key = sb_alloc(sizeof *key);
    sb_signing_refusal refusal;
    if (!sb_host_key(prefix, secret, suffix, key, &refusal)) {
        refused(refusal);
        return NULL;
    }
    return key;
}

const sb_key *sb_derive(const sb_key *key, const char *text)
{
    if (key == NULL || text == NULL || sb_failed()) {
        return NULL;
    }
    sb_key *derived = sb_alloc(sizeof *derived);
    sb_signing_refusal refusal;
    if (!sb_host_derive(key, text, derived, &refusal)) {
        refused(refusal);
        return NULL;
    }
    return derived;
}

sb_signature sb_sign(const sb_key *key, sb_algorithm algorithm, const char *text)
{
    sb_signature signature = {NULL, 0};
    sb_signing_refusal refusal;
    if (key == NULL || text == NULL || sb_failed()) {
        return signature;
    }
    if (!sb_host_sign(key, algorithm, text, &signature, &refusal)) {
        refused(refusal);
    }
    return signature;
}

const char *sb_hex(sb_signature signature)
{
    static const char digits[] = "0123456789abcdef";
    sb_buffer text = {0};
    for (size_t i = 0; i < signature.size; i++) {
        sb_add_byte(&text, digits[signature.bytes[i] >> 4]);
        sb_add_byte(&text, digits[signature.bytes[i] & 15]);
    }
    return sb_taken(&text);
}

const char *sb_base64(sb_signature signature)
{
    sb_buffer text = {0};
    sb_add_base64(&text, (const char *)signature.bytes, signature.size);
    return sb_taken(&text);
}

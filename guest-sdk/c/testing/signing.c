/** A host's signing for tests: a key is made of the text that it is given. It has no RSA. */

#include <string.h>

#include "host.h"

/** Bytes of a block of both hashes, and of SHA-1's digest. */
enum { BLOCK = 64, SHA1_BYTES = 20 };

static uint32_t rotated(uint32_t word, int bits)
{
    return word << bits | word >> (32 - bits);
}

static void add_block(uint32_t state[5], const uint8_t *block)
{
    static const uint32_t constants[] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6};
    uint32_t words[80];
    uint32_t s[5];
    memcpy(s, state, sizeof s);
    for (size_t i = 0; i < 80; i++) {
        if (i < 16) {
            const uint8_t *at = block + 4 * i;
            words[i] = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
        } else {
            words[i] = rotated(words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16], 1);
        }
        uint32_t mixed = s[1] ^ s[2] ^ s[3];
        if (i < 20) {
            mixed = (s[1] & s[2]) | (~s[1] & s[3]);
        } else if (i >= 40 && i < 60) {
            mixed = (s[1] & s[2]) | (s[1] & s[3]) | (s[2] & s[3]);
        }
        const uint32_t next = rotated(s[0], 5) + mixed + s[4] + constants[i / 20] + words[i];
        memmove(s + 1, s, 4 * sizeof *s);
        s[2] = rotated(s[2], 30);
        s[0] = next;
    }
    for (size_t i = 0; i < 5; i++) {
        state[i] += s[i];
    }
}

/** SHA-1 (FIPS 180-4). */
static void sha1(const void *data, size_t size, uint8_t *digest)
{
    uint32_t state[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
    /* The text, a one bit, zeroes, and the size in bits. */
    const size_t padded_size = (size + 9 + BLOCK - 1) / BLOCK * BLOCK;
    uint8_t *padded = sb_alloc(padded_size);
    memcpy(padded, data, size);
    padded[size] = 0x80;
    for (size_t i = 0; i < 8; i++) {
        padded[padded_size - 1 - i] = (uint8_t)((uint64_t)size * 8 >> (8 * i));
    }
    for (size_t at = 0; at < padded_size; at += BLOCK) {
        add_block(state, padded + at);
    }
    for (size_t i = 0; i < SHA1_BYTES; i++) {
        digest[i] = (uint8_t)(state[i / 4] >> (24 - 8 * (i % 4)));
    }
}

typedef void hash(const void *data, size_t size, uint8_t *digest);

/** HMAC (RFC 2104). */
static sb_signature hmac(hash *digest, size_t digest_size, sb_signature key, const char *text)
{
    uint8_t block[BLOCK] = {0};
    if (key.size > BLOCK) {
        digest(key.bytes, key.size, block);
    } else {
        memcpy(block, key.bytes, key.size);
    }
    sb_buffer inner = {0};
    sb_buffer outer = {0};
    for (size_t i = 0; i < BLOCK; i++) {
        sb_add_byte(&inner, (char)(block[i] ^ 0x36));
        sb_add_byte(&outer, (char)(block[i] ^ 0x5C));
    }
    uint8_t *out = sb_alloc(digest_size);
    sb_add_text(&inner, text);
    digest(inner.data, inner.size, out);
    sb_add(&outer, out, digest_size);
    digest(outer.data, outer.size, out);
    return (sb_signature){out, digest_size};
}

/** Whether the test's host signs. */
static bool signs(sb_signing_refusal *refusal)
{
    if (sb_test_host.refusal != NULL) {
        *refusal = *sb_test_host.refusal;
    }
    return sb_test_host.refusal == NULL;
}

bool sb_host_key(const char *prefix, const char *secret, const char *suffix, sb_key *key,
                 sb_signing_refusal *refusal)
{
    const char *text = sb_concat(prefix, secret, suffix, NULL);
    key->material = (sb_signature){(const uint8_t *)text, strlen(text)};
    return signs(refusal);
}

bool sb_host_derive(const sb_key *key, const char *text, sb_key *derived,
                    sb_signing_refusal *refusal)
{
    return sb_host_sign(key, SB_HMAC_SHA256, text, &derived->material, refusal);
}

bool sb_host_sign(const sb_key *key, sb_algorithm algorithm, const char *text,
                  sb_signature *signature, sb_signing_refusal *refusal)
{
    switch (algorithm) {
    case SB_HMAC_SHA1:
        *signature = hmac(sha1, SHA1_BYTES, key->material, text);
        return signs(refusal);
    case SB_HMAC_SHA256:
        *signature = hmac(sb_sha256, SB_SHA256_BYTES, key->material, text);
        return signs(refusal);
    case SB_RSA_SHA256:
        break;
    }
    *refusal = (sb_signing_refusal){SB_SIGNING_NOT_SUPPORTED, NULL};
    return false;
}

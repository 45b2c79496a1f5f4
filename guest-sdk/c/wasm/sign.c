/** The host's signing. A component whose connector does not sign does not import it. */

#include "convert.h"

static sb_signing_refusal refusal_from_host(sendbox_connector_signing_signing_error_t *error)
{
    /* The errors have the contract's order. */
    sb_signing_refusal refusal = {(sb_signing_error)error->tag, NULL};
    if (refusal.error == SB_SIGNING_INVALID_KEY) {
        refusal.words = text_from_host(error->val.invalid_key);
    }
    sendbox_connector_signing_signing_error_free(error);
    return refusal;
}

static connector_list_u8_t lent_bytes(const char *text)
{
    return (connector_list_u8_t){(uint8_t *)text, strlen(text)};
}

bool sb_host_key(const char *prefix, const char *secret, const char *suffix, sb_key *key,
                 sb_signing_refusal *refusal)
{
    wit_text parts[] = {lent(prefix), lent(secret), lent(suffix)};
    sendbox_connector_signing_own_key_t made;
    sendbox_connector_signing_signing_error_t error;
    if (!sendbox_connector_signing_static_key_from_secret(&parts[0], &parts[1], &parts[2], &made,
                                                          &error)) {
        *refusal = refusal_from_host(&error);
        return false;
    }
    key->handle = made.__handle;
    return true;
}

bool sb_host_derive(const sb_key *key, const char *text, sb_key *derived,
                    sb_signing_refusal *refusal)
{
    connector_list_u8_t data = lent_bytes(text);
    sendbox_connector_signing_own_key_t made;
    sendbox_connector_signing_signing_error_t error;
    if (!sendbox_connector_signing_method_key_derive(
            (sendbox_connector_signing_borrow_key_t){key->handle}, &data, &made, &error)) {
        *refusal = refusal_from_host(&error);
        return false;
    }
    derived->handle = made.__handle;
    return true;
}

bool sb_host_sign(const sb_key *key, sb_algorithm algorithm, const char *text,
                  sb_signature *signature, sb_signing_refusal *refusal)
{
    connector_list_u8_t data = lent_bytes(text);
    connector_list_u8_t bytes;
    sendbox_connector_signing_signing_error_t error;
    /* The algorithms have the contract's order. */
    if (!sendbox_connector_signing_method_key_sign(
            (sendbox_connector_signing_borrow_key_t){key->handle},
            (sendbox_connector_signing_algorithm_t)algorithm, &data, &bytes, &error)) {
        *refusal = refusal_from_host(&error);
        return false;
    }
    *signature = (sb_signature){(const uint8_t *)sb_copy(bytes.ptr, bytes.len), bytes.len};
    connector_list_u8_free(&bytes);
    return true;
}

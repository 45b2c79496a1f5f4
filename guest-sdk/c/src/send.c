/** The one path that turns a connector's parts into a send. */

#include <string.h>

#include "internal.h"

static const sb_json *read_settings(const char *text, size_t size)
{
    const sb_json *settings = sb_json_read(text, size);
    if (settings == NULL) {
        sb_fail(sb_invalid_settings("settings", "expected JSON"));
    }
    return settings;
}

static void check_recipient(const sb_message *message)
{
    for (const char *at = message->recipient; *at != '\0'; at++) {
        /* Those above ASCII, U+0080 to U+009F, are C2 80 to C2 9F. */
        const bool high = (unsigned char)at[0] == 0xC2 && (unsigned char)at[1] < 0xA0;
        if (sb_is_control((unsigned char)*at) || high) {
            const char *words = "the recipient contains control characters";
            sb_fail(sb_failure_new(SB_REJECTED, words));
            return;
        }
    }
}

static sb_receipt exchange(const sb_connector *connector, const void *settings,
                           const sb_message *message)
{
    const sb_response *response = sb_fetch(connector->request(settings, message));
    if (response == NULL) {
        return (sb_receipt){NULL, NULL};
    }
    if (!sb_is_success(response)) {
        return sb_refused(connector->failure == NULL ? sb_failure_from(response)
                                                     : connector->failure(response));
    }
    return connector->receipt == NULL ? (sb_receipt){NULL, NULL} : connector->receipt(response);
}

static sb_receipt attempt(const sb_connector *connector, const sb_json *given,
                          const sb_message *message)
{
    const sb_receipt none = {NULL, NULL};
    const void *settings = sb_failed() ? NULL : connector->settings(given);
    if (!sb_failed()) {
        check_recipient(message);
    }
    if (sb_failed()) {
        return none;
    }
    return connector->send != NULL ? connector->send(settings, message)
                                   : exchange(connector, settings, message);
}

sb_outcome sb_send(const sb_connector *connector, const char *settings, size_t settings_size,
                   sb_message *message, const char *payload, size_t payload_size)
{
    message->payload = sb_json_read(payload, payload_size);
    if (sb_json_type_of(message->payload) != SB_OBJECT) {
        sb_fail(sb_failure_new(SB_REJECTED, "the payload is not a JSON object"));
        message->payload = sb_object();
    }
    const sb_json *given = read_settings(settings, settings_size);
    const sb_json *unescaped = sb_member(given, "unescapedHtml");
    message->unescaped_html = sb_json_type_of(unescaped) == SB_BOOL && unescaped->truth;
    sb_outcome outcome = {false, {NULL, NULL}, {SB_UNKNOWN, NULL, "", SB_NO_DELAY}};
    outcome.receipt = attempt(connector, given, message);
    outcome.sent = !sb_failed();
    const char *id = outcome.receipt.provider_message_id;
    outcome.receipt.provider_message_id = id != NULL && *id != '\0' ? id : NULL;
    if (!outcome.sent) {
        outcome.failure = sb_noted();
        const char *words = outcome.failure.message;
        outcome.failure.message = sb_concealed(message, words == NULL ? "" : words);
    }
    return outcome;
}

/**
 * Text messages through an HTTP endpoint of the tenant's own, in Logto's message format; in the
 * second shape of a connector: one `send` that calls the host's HTTP client itself.
 *
 * Protocol: https://docs.logto.io/connectors/sms-connectors/http-sms, read 2026-11-21.
 */

#include "sendbox.h"

SB_FILE(schema, "settings.schema.json");
SB_FILE(readme, "README.md");

/** Where the message is posted. */
struct settings {
    const char *endpoint;
    const char
        *authorization; /**< Value of the header, as it is; NULL or "" where there is none. */
};

static const void *read_settings(const sb_json *json)
{
    struct settings *read = sb_alloc(sizeof *read);
    read->endpoint = sb_need_url(json, "endpoint");
    read->authorization = sb_optional_text(json, "authorization");
    return read;
}

/** A text of the tenant's own, in the names of Logto's e-mail templates; NULL where there is none.
 */
static const sb_json *text_of(const sb_message *message)
{
    const sb_content *content = sb_content_of(message);
    if (content == NULL) {
        return NULL;
    }
    sb_json *text = sb_object();
    sb_put_text(text, "subject", content->subject);
    sb_put_text(text, "content", content->body);
    sb_put_text(text, "contentType", content->plain ? "text/plain" : "text/html");
    sb_put_text(text, "text", content->text);
    sb_put_text(text, "replyTo", content->reply_to);
    sb_put_text(text, "sendFrom", content->send_from);
    return text;
}

static bool has_text(const char *text)
{
    return text != NULL && *text != '\0';
}

static sb_receipt send(const void *given, const sb_message *message)
{
    const struct settings *settings = given;
    const sb_receipt accepted = {NULL, NULL};
    const sb_json *text = text_of(message);
    sb_json *body = sb_object();
    sb_put_text(body, "to", message->recipient);
    sb_put_text(body, "type", message->usage_type);
    sb_put(body, "payload", message->payload);
    sb_put_text(body, "ip", has_text(message->client_ip) ? message->client_ip : NULL);
    if (text != NULL) {
        sb_put(body, "content", text);
    }
    sb_request *request = sb_post_json(settings->endpoint, body);
    if (has_text(settings->authorization)) {
        sb_secret_header(request, "authorization", settings->authorization);
    }
    const sb_response *response = sb_fetch(request);
    if (response != NULL && !sb_is_success(response)) {
        sb_fail(sb_failure_from(response));
    }
    return accepted;
}

const sb_connector sendbox_connector = {
    .about =
        {
            .id = "http-sms",
            .channel = SB_SMS,
            .version = "0.1.0",
            .titles = {{"en", "HTTP SMS"}, {"de", "HTTP-SMS"}, {"zh-CN", "HTTP 短信"}},
            .descriptions =
                {
                    {"en",
                     "Posts every text message to be sent as JSON to an endpoint of your own."},
                    {"de", "Übergibt jede zu sendende SMS als JSON an einen eigenen Endpunkt."},
                    {"zh-CN", "将每条待发送的短信以 JSON 形式发送到您自己的端点。"},
                },
            .settings_schema = schema,
            .hosts = {"{settings:/endpoint}"},
            .readme = readme,
        },
    .settings = read_settings,
    .send = send,
};

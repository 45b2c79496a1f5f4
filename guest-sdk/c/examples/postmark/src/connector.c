/**
 * Postmark: one e-mail from a template that is kept at Postmark, or with a text of its own.
 *
 * Protocol: https://postmarkapp.com/developer/api/templates-api#email-with-template and
 * https://postmarkapp.com/developer/api/email-api#send-a-single-email; codes:
 * https://postmarkapp.com/developer/api/overview#error-codes; all read 2026-11-21.
 */

#include <string.h>

#include "sendbox.h"

#define TEMPLATE_URL "https://api.postmarkapp.com/email/withTemplate"
#define TEXT_URL "https://api.postmarkapp.com/email"

SB_FILE(schema, "settings.schema.json");
SB_FILE(readme, "README.md");

/** What an operator fills in. */
struct settings {
    const char *server_token;
    const char *from_email;
    const sb_json *templates;
};

static const void *read_settings(const sb_json *json)
{
    struct settings *read = sb_alloc(sizeof *read);
    read->server_token = sb_need_text(json, "serverToken");
    read->from_email = sb_need_text(json, "fromEmail");
    read->templates = sb_need_templates(json, "templates", "templateAlias", NULL);
    return read;
}

static sb_request *post(const struct settings *settings, const char *url, const sb_json *mail)
{
    sb_request *request = sb_post_json(url, mail);
    sb_header(request, "accept", "application/json");
    sb_secret_header(request, "x-postmark-server-token", settings->server_token);
    return request;
}

/** A mail with a text of the tenant's own. */
static sb_request *text_mail(const struct settings *settings, const sb_message *message,
                             const sb_content *content)
{
    const sb_mailbox own = sb_mailbox_parse(settings->from_email, "", "");
    const sb_mailbox sender = sb_sender(message, own.address, own.name);
    sb_json *mail = sb_object();
    sb_put_text(mail, "From", sb_mailbox_text(sender));
    sb_put_text(mail, "ReplyTo", sb_reply_to(message));
    sb_put_text(mail, "To", message->recipient);
    sb_put_text(mail, "HtmlBody", sb_html(content));
    sb_put_text(mail, "Subject", content->subject);
    sb_put_text(mail, "TextBody", sb_plain(content));
    return post(settings, TEXT_URL, mail);
}

static sb_request *request(const void *given, const sb_message *message)
{
    const struct settings *settings = given;
    const sb_content *content = sb_content_of(message);
    if (content != NULL) {
        return text_mail(settings, message, content);
    }
    const sb_json *chosen = sb_choose(settings->templates, message->usage_type);
    sb_json *mail = sb_object();
    sb_put_text(mail, "From", settings->from_email);
    sb_put_text(mail, "TemplateAlias", sb_need_text(chosen, "templateAlias"));
    sb_put_text(mail, "To", message->recipient);
    sb_put(mail, "TemplateModel", message->payload);
    return post(settings, TEMPLATE_URL, mail);
}

/** What Postmark's error code says, which is more than the status code does. */
static sb_failure_kind kind_of(int64_t code, uint16_t status, const char *words)
{
    switch (code) {
    case 10: /* Bad or missing token. */
    case 412:
    case 413: /* The account may not send. */
        return SB_UNAUTHORIZED;
    case 100: /* Maintenance. */
        return SB_UNAVAILABLE;
    case 400:
    case 401: /* Sender signature not found, or not confirmed: `fromEmail` is wrong. */
        return SB_INVALID_SETTINGS;
    case 405: /* Out of credits. */
    case 429: /* Rate limit. */
        return SB_THROTTLED;
    case 1100:
    case 1101: /* The template's id or alias is unknown. */
        return SB_TEMPLATE_NOT_FOUND;
    case 300: /* A recipient that is no address, or the sender's. */
    case 406: /* Inactive recipient. */
        return words != NULL && strstr(words, "'From'") != NULL ? SB_INVALID_SETTINGS : SB_REJECTED;
    default: /* Nothing that is known of the recipient. */
        return status < 500 ? SB_INVALID_SETTINGS : sb_kind_of_status(status);
    }
}

static sb_failure failure(const sb_response *response)
{
    const sb_json *answer = sb_response_json(response);
    const int64_t code = sb_integer(sb_member(answer, "ErrorCode"), 0);
    if (code == 0) {
        return sb_failure_from(response);
    }
    const char *words = sb_string(sb_member(answer, "Message"));
    return sb_failure_of_provider(response, kind_of(code, response->status, words),
                                  sb_decimal(code), words);
}

static sb_receipt receipt(const sb_response *response)
{
    const sb_json *answer = sb_response_json(response);
    if (sb_integer(sb_member(answer, "ErrorCode"), 0) != 0) {
        return sb_refused(failure(response));
    }
    const sb_receipt accepted = {
        .provider_message_id = sb_string(sb_member(answer, "MessageID")),
        .detail = sb_string(sb_member(answer, "Message")),
    };
    return accepted;
}

const sb_connector sendbox_connector = {
    .about =
        {
            .id = "postmark",
            .channel = SB_EMAIL,
            .version = "0.1.0",
            .titles = {{"en", "Postmark"}, {"de", "Postmark"}, {"zh-CN", "Postmark"}},
            .descriptions =
                {
                    {"en", "Transactional e-mail by Postmark, with templates that are kept there."},
                    {"de", "Transaktionale E-Mails über Postmark, mit dort gepflegten Vorlagen."},
                    {"zh-CN", "通过 Postmark 及其模板发送事务性邮件。"},
                },
            .settings_schema = schema,
            .hosts = {"api.postmarkapp.com"},
            .readme = readme,
        },
    .settings = read_settings,
    .request = request,
    .receipt = receipt,
    .failure = failure,
};

/** {{title}}: posts every mail as JSON to an endpoint of the tenant's own. */

#include "sendbox.h"

SB_FILE(schema, "settings.schema.json");
SB_FILE(readme, "README.md");

struct settings {
    const char *endpoint;
    const char *token;
    const sb_json *templates;
};

/* The settings, read from JSON. The token is a placeholder here; the host fills it in. */
static const void *read_settings(const sb_json *json)
{
    struct settings *read = sb_alloc(sizeof *read);
    read->endpoint = sb_need_url(json, "endpoint");
    read->token = sb_need_text(json, "token");
    read->templates = sb_need_templates(json, "templates", "subject", "content", NULL);
    return read;
}

/* How a message becomes a request. */
static sb_request *request(const void *given, const sb_message *message)
{
    const struct settings *settings = given;
    const sb_content *text = sb_mail_text(message, settings->templates);
    sb_json *mail = sb_object();
    sb_put_text(mail, "to", message->recipient);
    sb_put_text(mail, "subject", text->subject);
    sb_put_text(mail, "html", sb_html(text));
    sb_put_text(mail, "text", sb_plain(text));
    sb_request *request = sb_post_json(settings->endpoint, mail);
    sb_bearer(request, settings->token);
    return request;
}

/* How a 2xx response becomes a receipt. Any other one is a failure by its status code. */
static sb_receipt receipt(const sb_response *response)
{
    const sb_json *answer = sb_response_json(response);
    const sb_receipt accepted = {.provider_message_id = sb_string(sb_member(answer, "id"))};
    return accepted;
}

/* What it is. */
const sb_connector sendbox_connector = {
    .about = {.id = "{{name}}",
              .channel = SB_EMAIL,
              .version = "0.1.0",
              .titles = {{"en", "{{title}}"}},
              .descriptions = {{"en", "Posts every mail as JSON to an endpoint of your own."}},
              .settings_schema = schema,
              .hosts = {"{settings:/endpoint}"},
              .readme = readme},
    .settings = read_settings,
    .request = request,
    .receipt = receipt,
};

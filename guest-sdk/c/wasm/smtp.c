/** The host's SMTP client. A component whose connector submits no mail does not import it. */

#include "convert.h"

static sendbox_connector_smtp_auth_t auth_of(const sb_server *server)
{
    sendbox_connector_smtp_auth_t auth = {.tag = SENDBOX_CONNECTOR_SMTP_AUTH_NONE};
    if (server->user != NULL && server->token != NULL) {
        auth.tag = SENDBOX_CONNECTOR_SMTP_AUTH_OAUTH2;
        auth.val.oauth2 = (wit_pair){lent(server->user), lent(server->token)};
    } else if (server->user != NULL) {
        auth.tag = SENDBOX_CONNECTOR_SMTP_AUTH_LOGIN;
        auth.val.login = (sendbox_connector_smtp_login_t){
            lent(server->user), lent(server->password), lent_option(server->mechanism)};
    }
    return auth;
}

static sb_smtp_reply reply_from_host(const sendbox_connector_smtp_reply_t *reply)
{
    return (sb_smtp_reply){reply->code, option_from_host(reply->enhanced),
                           text_from_host(reply->text)};
}

static sb_smtp_reply reply_of_error(const sendbox_connector_smtp_smtp_error_t *error)
{
    switch (error->tag) {
    case SENDBOX_CONNECTOR_SMTP_SMTP_ERROR_INVALID_REQUEST:
        return (sb_smtp_reply){0, NULL, text_from_host(error->val.invalid_request)};
    case SENDBOX_CONNECTOR_SMTP_SMTP_ERROR_TLS:
        return (sb_smtp_reply){0, NULL, text_from_host(error->val.tls)};
    case SENDBOX_CONNECTOR_SMTP_SMTP_ERROR_UNAUTHORIZED:
        return reply_from_host(&error->val.unauthorized);
    case SENDBOX_CONNECTOR_SMTP_SMTP_ERROR_REJECTED:
        return reply_from_host(&error->val.rejected);
    case SENDBOX_CONNECTOR_SMTP_SMTP_ERROR_DEFERRED:
        return reply_from_host(&error->val.deferred);
    default:
        return (sb_smtp_reply){0, NULL, ""};
    }
}

bool sb_submission(const sb_server *server, const char *mail_from, const char *rcpt_to,
                   const char *mail, sb_smtp_reply *reply, sb_smtp_error *error)
{
    wit_text recipient = lent(rcpt_to);
    wit_text data = lent(mail);
    /* The values of `sb_security` have the contract's order. */
    sendbox_connector_smtp_server_t asked = {
        .host = lent(server->host),
        .port = server->port,
        .security = (sendbox_connector_smtp_security_t)server->security,
        .server_name = lent_option(server->server_name),
        .auth = auth_of(server),
        .name = lent_option(server->name),
        .local_address = lent_option(server->local_address),
        .connect_timeout = {server->connect_timeout > 0, server->connect_timeout},
        .command_timeout = {server->command_timeout > 0, server->command_timeout},
    };
    sendbox_connector_smtp_envelope_t envelope = {lent(mail_from), {&recipient, 1}};
    connector_list_u8_t bytes = {data.ptr, data.len};
    sendbox_connector_smtp_reply_t answer;
    sendbox_connector_smtp_smtp_error_t refusal;
    if (!sendbox_connector_smtp_submit(&asked, &envelope, &bytes, &answer, &refusal)) {
        /* The errors have the contract's order. */
        *error = (sb_smtp_error)refusal.tag;
        *reply = reply_of_error(&refusal);
        sendbox_connector_smtp_smtp_error_free(&refusal);
        return false;
    }
    *reply = reply_from_host(&answer);
    sendbox_connector_smtp_reply_free(&answer);
    return true;
}

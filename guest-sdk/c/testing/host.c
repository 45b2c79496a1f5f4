/** A host for tests, in the place of the one behind the component. */

#include "host.h"

#include <stdio.h>
#include <string.h>

sb_host sb_test_host;

void sb_host_answers(uint16_t status, const char *body)
{
    sb_test_host = (sb_host){.answers = true, .now = 784111777000, .uuid = ""};
    sb_test_host.response = (sb_response){status, NULL, 0, body, strlen(body)};
}

bool sb_exchange(const sb_request *request, sb_response *response, sb_http_error *error,
                 const char **words)
{
    sb_test_host.request = request;
    sb_test_host.requests += 1;
    *response = sb_test_host.response;
    *error = sb_test_host.error;
    *words = sb_test_host.words;
    return sb_test_host.answers;
}

bool sb_submission(const sb_server *server, const char *mail_from, const char *rcpt_to,
                   const char *mail, sb_smtp_reply *reply, sb_smtp_error *error)
{
    (void)server, (void)mail_from, (void)rcpt_to;
    sb_test_host.mail = mail;
    *reply = (sb_smtp_reply){250, NULL, "queued"};
    *error = SB_SMTP_CONNECT;
    return true;
}

void sb_log(sb_log_level level, const char *text)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    printf("%s: %s\n", names[level], text);
}

uint64_t sb_now(void)
{
    return sb_test_host.now;
}

const char *sb_uuid(void)
{
    return sb_test_host.uuid;
}

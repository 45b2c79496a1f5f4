/** A connector in C++17: the same header, and one send through it. */

#include <string>
#include <string_view>

#include "check.h"

namespace
{

struct Settings {
    std::string endpoint;
    const char *token;
};

const void *read_settings(const sb_json *json)
{
    static Settings settings;
    settings = {sb_need_url(json, "endpoint"), sb_need_text(json, "token")};
    return &settings;
}

sb_request *request(const void *given, const sb_message *message)
{
    const auto &settings = *static_cast<const Settings *>(given);
    sb_json *body = sb_object();
    sb_put_text(body, "to", message->recipient);
    sb_put(body, "payload", message->payload);
    sb_request *request = sb_post_json(settings.endpoint.c_str(), body);
    sb_bearer(request, settings.token);
    return request;
}

sb_connector connector()
{
    sb_connector made = {};
    made.about.id = "smoke";
    made.about.channel = SB_SMS;
    made.about.titles[0] = {"en", "Smoke"};
    made.settings = read_settings;
    made.request = request;
    return made;
}

} // namespace

const sb_connector sendbox_connector = connector();

int main()
{
    test("a connector in C++ sends");
    const std::string_view settings = R"({"endpoint":"https://x.example","token":"t"})";
    const std::string_view payload = R"({"code":"123456"})";
    sb_message message = {};
    message.recipient = "4915112345678";
    message.usage_type = "SignIn";
    sb_host_answers(200, "");
    const sb_outcome outcome = sb_send(&sendbox_connector, settings.data(), settings.size(),
                                       &message, payload.data(), payload.size());
    CHECK(outcome.sent);
    CHECK_TEXT(sb_test_host.request->url, "https://x.example/");
    CHECK_TEXT(static_cast<const char *>(sb_test_host.request->body),
               R"({"to":"4915112345678","payload":{"code":"123456"}})");
    CHECK(sb_test_host.request->credential_kind == SB_BEARER);
    return result("c++");
}

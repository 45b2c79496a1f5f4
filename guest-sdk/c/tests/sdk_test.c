/** What the recorded cases do not show of the SDK. */

#include "check.h"

#include <string.h>

static const char *round_trip(const char *text)
{
    const sb_json *value = sb_json_parse(text);
    return value == NULL ? "refused" : sb_json_print(value);
}

static sb_message message_with(const char *recipient, const char *payload)
{
    return (sb_message){.recipient = recipient,
                        .usage_type = "SignIn",
                        .payload = sb_json_parse(payload),
                        .idempotency_key = "one"};
}

static void json_is_read_strictly(void)
{
    test("what is no JSON is refused");
    static const char *const bad[] = {"",           "{",         "[1,]",
                                      "{\"a\":1,}", "{a:1}",     "'a'",
                                      "01",         "+1",        "1.",
                                      ".5",         "1e",        "-",
                                      "nul",        "truefalse", "[1 2]",
                                      "\"\\x\"",    "\"\\u12\"", "\"\\u12g4\"",
                                      "\"a\nb\"",   "\"a",       "{\"a\" 1}",
                                      "{\"a\":}",   "[",         "]",
                                      "1 1",        "\"\\",      "{\"a\":1]",
                                      "NaN",        "Infinity",  "\xEF\xBB\xBF{}",
                                      "[1,,2]",     "{,}",       "\"\t\"",
                                      "0x1",        "--1",       "1e+",
                                      "[\"a\":1]",  "/**/1",     "{\"a\":1 \"b\":2}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        CHECK_TEXT(round_trip(bad[i]), "refused");
    }

    test("escapes are read, and written as JavaScript writes them");
    CHECK_TEXT(round_trip("\"\\u0041\\/\\b\\f\\n\\r\\t\\\"\\\\\\u001F\\u007f\\u00e9\""),
               "\"A/\\b\\f\\n\\r\\t\\\"\\\\\\u001f\x7F\xC3\xA9\"");
    CHECK_TEXT(round_trip("\"\\uD83D\\uDE00\\u20AC\\u0000\""),
               "\"\xF0\x9F\x98\x80\xE2\x82\xAC\\u0000\"");

    test("half a surrogate pair becomes the replacement character");
    CHECK_TEXT(round_trip("\"\\ud83d|\\udc00\\ud83dx|\\ud83d\\ud83d\\ude00|\\ud83d\\n\""),
               "\"\xEF\xBF\xBD|\xEF\xBF\xBD\xEF\xBF\xBDx|\xEF\xBF\xBD\xF0\x9F\x98\x80|"
               "\xEF\xBF\xBD\\n\"");

    test("keys come in JavaScript's order at every depth");
    CHECK_TEXT(
        round_trip("{\"b\":1,\"10\":2,\"a\":{\"x\":0,\"2\":1,\"01\":2,\"1\":3},\"9\":[{\"z\":1,"
                   "\"0\":2}]}"),
        "{\"9\":[{\"0\":2,\"z\":1}],\"10\":2,\"b\":1,\"a\":{\"1\":3,\"2\":1,\"x\":0,\"01\":2}}");
    CHECK_TEXT(round_trip("{\"4294967295\":1,\"4294967294\":2}"),
               "{\"4294967294\":2,\"4294967295\":1}");

    test("a repeated key keeps its first place and its last value");
    CHECK_TEXT(round_trip("{\"a\":1,\"b\":2,\"a\":{\"c\":3},\"a\":3}"), "{\"a\":3,\"b\":2}");

    test("numbers are printed as JavaScript prints them");
    CHECK_TEXT(round_trip("[1.0,-0,1e21,12345678901234567890,9007199254740993,1e-7,5e-324,1e999]"),
               "[1,0,1e+21,12345678901234567000,9007199254740992,1e-7,5e-324,null]");
    CHECK(sb_integer(sb_json_parse("-42"), 7) == -42);
    CHECK(sb_integer(sb_json_parse("4.2"), 7) == 7);
    CHECK(sb_integer(sb_json_parse("1e3"), 7) == 7);
    CHECK(sb_integer(sb_json_parse("\"4\""), 7) == 7);
    CHECK(sb_integer(sb_json_parse("99999999999999999999"), 7) == 7);
}

/** `count` times the text. */
static const char *times(const char *text, size_t count)
{
    sb_buffer out = {0};
    for (; count > 0; count--) {
        sb_add_text(&out, text);
    }
    return sb_taken(&out);
}

static void json_is_bounded(void)
{
    test("depth, number of values and size have their bounds");
    const char *deep = sb_concat(times("[", 128), times("]", 128), NULL);
    const char *deeper = sb_concat(times("[", 129), times("]", 129), NULL);
    CHECK(sb_json_parse(deep) != NULL);
    CHECK(sb_json_parse(deeper) == NULL);
    CHECK(sb_json_parse(sb_concat("[0", times(",0", 65534), "]", NULL)) != NULL);
    CHECK(sb_json_parse(sb_concat("[0", times(",0", 65535), "]", NULL)) == NULL);
    CHECK(sb_json_parse(sb_concat("\"", times("x", 1024 * 1024), "\"", NULL)) == NULL);
}

static void json_is_made(void)
{
    test("values are put in order, and in the place of one of that name");
    sb_json *inner = sb_array();
    sb_append(inner, sb_number(-9007199254740991));
    sb_append(inner, NULL);
    sb_append(inner, sb_bool(true));
    sb_json *object = sb_object();
    sb_put_text(object, "a", "x\ny");
    sb_put_text(object, "left out", NULL);
    sb_put(object, "b", inner);
    sb_put(object, "a", sb_text(NULL));
    CHECK_TEXT(sb_json_print(object), "{\"a\":null,\"b\":[-9007199254740991,null,true]}");
    CHECK_TEXT(sb_name(sb_next(sb_first(object))), "b");

    test("a text that was cut within a character is put as UTF-8");
    CHECK_TEXT(sb_json_print(sb_text("a\xC3")), "\"a\xEF\xBF\xBD\"");

    test("a zero inside a text does not cut it");
    const sb_json *zero = sb_json_parse("{\"a\":\"x\\u0000y\"}");
    CHECK_TEXT(sb_string(sb_member(zero, "a")), "x\xEF\xBF\xBDy");
    CHECK_TEXT(sb_json_print(zero), "{\"a\":\"x\\u0000y\"}");

    test("what is missing is safe to look into");
    CHECK(sb_member(NULL, "a") == NULL && sb_member(sb_array(), "a") == NULL);
    CHECK(sb_string(NULL) == NULL && sb_first(NULL) == NULL && sb_next(NULL) == NULL);
    CHECK(!sb_is_true(NULL) && sb_json_type_of(NULL) == SB_NULL);
}

static void texts_are_utf8(void)
{
    test("what is no UTF-8 becomes U+FFFD, one for each broken part");
    CHECK_TEXT(sb_text_of("a\x80z", 3), "a\xEF\xBF\xBDz");
    CHECK_TEXT(sb_text_of("\xE2\x82", 2), "\xEF\xBF\xBD");
    CHECK_TEXT(sb_text_of("\xE0\x80\x80", 3), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    CHECK_TEXT(sb_text_of("\xED\xA0\x80", 3), "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    CHECK_TEXT(sb_text_of("\xF0\x9F\x98\x80\xF5", 5), "\xF0\x9F\x98\x80\xEF\xBF\xBD");
    CHECK_TEXT(sb_text_of("a\0b", 3), "a\xEF\xBF\xBD"
                                      "b");

    test("a text on one line has single spaces where its lines ended");
    CHECK_TEXT(sb_one_line(" a \r\n\tb\x7F"), "a b");
    CHECK_TEXT(sb_one_line(" as it is "), " as it is ");

    test("numbers are written in full");
    CHECK_TEXT(sb_decimal(INT64_MIN), "-9223372036854775808");
    CHECK_TEXT(sb_decimal(0), "0");

    test("a path segment is encoded as JavaScript does");
    CHECK_TEXT(sb_path_segment("a/b ü(1)!"), "a%2Fb%20%C3%BC(1)!");
}

static const char *settings_failure(const char *text)
{
    sb_reset();
    const sb_json *settings = sb_json_parse(text);
    sb_need_text(settings, "name");
    sb_optional_text(settings, "pool");
    sb_need_templates(settings, "templates", "content", NULL);
    return sb_failed() ? sb_noted().message : "none";
}

#define ENTRY(type) "{\"usageType\":\"" type "\",\"content\":\"c\"}"
#define ALL ENTRY("Register") "," ENTRY("SignIn") "," ENTRY("ForgotPassword") "," ENTRY("Generic")

static void settings_are_checked(void)
{
    test("the failing field is named and its value is not");
    CHECK_TEXT(settings_failure("{}"), "settings: missing field `name`");
    CHECK_TEXT(settings_failure("{\"name\":7}"), "name: expected a string");
    CHECK_TEXT(settings_failure("{\"name\":\"n\",\"pool\":null}"), "pool: expected a string");
    CHECK_TEXT(settings_failure("{\"name\":\"n\"}"), "settings: missing field `templates`");
    CHECK_TEXT(settings_failure("{\"name\":\"n\",\"templates\":\"sk_live\"}"),
               "templates: expected a sequence");
    CHECK_TEXT(settings_failure("{\"name\":\"n\",\"templates\":[" ALL ",{\"usageType\":\"x\"}]}"),
               "templates[4]: missing field `content`");
    CHECK_TEXT(settings_failure("{\"name\":\"n\",\"templates\":[" ALL ",4]}"),
               "templates[4]: expected an object");
    CHECK_TEXT(settings_failure("{\"name\":\"n\",\"templates\":[{\"usageType\":1}]}"),
               "templates[0].usageType: expected a string");
    CHECK_TEXT(settings_failure("{\"name\":\"n\",\"templates\":[" ENTRY("SignIn") "]}"),
               "templates: no template for Register, ForgotPassword, Generic");
    CHECK_TEXT(settings_failure("{\"name\":\"n\",\"templates\":[" ALL "],\"more\":1}"), "none");
}

static void addresses_are_canonical(void)
{
    static const char *const good[][2] = {
        {"HTTPS://HOOKS.Example.COM:443/Path/../X", "https://hooks.example.com/X"},
        {"https://x.example", "https://x.example/"},
        {" https://x.example/a b?q='\xC3\xBC'&x=%41#frag\n",
         "https://x.example/a%20b?q=%27%C3%BC%27&x=%41"},
        {"http://x.example:8080/./a/%2e%2E/b/..", "http://x.example:8080/"},
        {"https://x.example?q", "https://x.example/?q"},
        {"https://x.example:/a//b/", "https://x.example/a//b/"},
        {"https://x.example\\a", "https://x.example/a"},
        {"https://[2001:DB8::1]:8443/", "https://[2001:db8::1]:8443/"},
        {"https://192.0.2.1/{x}|y", "https://192.0.2.1/%7Bx%7D|y"},
        {"https://x.example./a/../..", "https://x.example./"}};
    static const char *const bad[] = {"",
                                      "x.example/hook",
                                      "ftp://x.example/",
                                      "unix:/var/run/x.sock",
                                      "http://unix:/var/run/docker.sock:/x",
                                      "https://",
                                      "https:///path",
                                      "https://u:p@x.example/",
                                      "https://x..example/",
                                      "https://x.example:99999/",
                                      "https://x.example:+1/",
                                      "https://0x7f.1/",
                                      "https://2130706433/",
                                      "https://1.2.3.256/",
                                      "https://x y/",
                                      "https://%65xample.com/",
                                      "https://[::1/",
                                      "https://m\xC3\xBCnchen.example/"};
    test("an address is written as a browser writes it");
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        sb_json *settings = sb_object();
        sb_put_text(settings, "endpoint", good[i][0]);
        CHECK_TEXT(sb_need_url(settings, "endpoint"), good[i][1]);
    }
    test("what is no web address is refused, without repeating it");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        sb_reset();
        sb_json *settings = sb_object();
        sb_put_text(settings, "endpoint", bad[i]);
        CHECK_TEXT(sb_need_url(settings, "endpoint"), "");
        CHECK(sb_failed() && sb_noted().kind == SB_INVALID_SETTINGS);
        CHECK(*bad[i] == '\0' || strstr(sb_noted().message, bad[i]) == NULL);
    }
}

static uint64_t delay_in(const char *value, const char *date)
{
    const sb_pair headers[] = {{"retry-after", value}, {"date", date}};
    const sb_response response = {429, headers, date == NULL ? 1 : 2, "", 0};
    return sb_failure_from(&response).retry_after;
}

static void failures_are_classified(void)
{
    static const struct {
        uint16_t status;
        sb_failure_kind kind;
    } kinds[] = {{301, SB_INVALID_SETTINGS}, {303, SB_UNKNOWN},      {307, SB_INVALID_SETTINGS},
                 {400, SB_REJECTED},         {401, SB_UNAUTHORIZED}, {402, SB_THROTTLED},
                 {403, SB_UNAUTHORIZED},     {404, SB_INVALID_SETTINGS},     {407, SB_UNAUTHORIZED},
                 {408, SB_THROTTLED},        {413, SB_INVALID_SETTINGS},     {425, SB_THROTTLED},
                 {429, SB_THROTTLED},        {500, SB_UNKNOWN},      {502, SB_UNKNOWN},
                 {503, SB_UNAVAILABLE},      {504, SB_UNKNOWN},      {599, SB_UNKNOWN},
                 {100, SB_UNKNOWN}};
    test("every status code has its kind");
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        CHECK(sb_kind_of_status(kinds[i].status) == kinds[i].kind);
    }

    test("retry-after is read as seconds and as a date");
    sb_test_host.now = 784111777000;
    CHECK(delay_in("120", NULL) == 120000);
    CHECK(delay_in("Sun, 06 Nov 1994 08:50:37 GMT", NULL) == 60000);
    CHECK(delay_in("Sun, 06 Nov 1994 08:50:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT") == 30000);
    CHECK(delay_in("Sun, 06 Nov 1994 08:00:00 GMT", NULL) == 0);
    CHECK(delay_in("Thu, 29 Feb 2024 23:59:59 GMT", "Thu, 29 Feb 2024 23:59:58 GMT") == 1000);
    CHECK(delay_in("Fri, 01 Mar 2024 00:00:00 GMT", "Thu, 29 Feb 2024 23:59:59 GMT") == 1000);
    CHECK(delay_in("soon", NULL) == SB_NO_DELAY);
    CHECK(delay_in("-1", NULL) == SB_NO_DELAY);
    CHECK(delay_in("Sun, 32 Nov 1994 08:49:37 GMT", NULL) == SB_NO_DELAY);
    CHECK(delay_in("Sun, 06 Nov 1994", NULL) == SB_NO_DELAY);

    test("the message quotes text on one line and never markup");
    const sb_response text = {413, NULL, 0, "too\r\nlarge\n", 11};
    CHECK_TEXT(sb_failure_from(&text).message, "HTTP status 413: too large");
    const sb_response page = {502, NULL, 0, "<html>oops</html>", 17};
    CHECK_TEXT(sb_failure_from(&page).message, "HTTP status 502");

    test("only the first failure counts");
    sb_fail(sb_failure_new(SB_REJECTED, "first"));
    sb_fail(sb_failure_new(SB_UNKNOWN, "second"));
    CHECK_TEXT(sb_noted().message, "first");
}

static void messages_keep_their_secrets(void)
{
    test("neither a number nor a code inside it stays readable");
    sb_message message = message_with("+4915112345678", "{\"code\":123456}");
    const char *words = sb_concealed(&message, "no 123456 to +4915112345678 or 4915112345678");
    CHECK_TEXT(words, "no … to … or …");

    test("a line break cannot leave the sender");
    const sb_mailbox sender =
        sb_mailbox_parse("Evil\r\nBcc: x@y.example <a\n@b.example>", "c@d.example", "");
    CHECK_TEXT(sb_mailbox_text(sender), "EvilBcc: x@y.example <a@b.example>");
}

static void check_optional(const char *got, const char *expected)
{
    if (expected == NULL) {
        CHECK(got == NULL);
    } else {
        CHECK_TEXT(got, expected);
    }
}

static void values_stay_values(void)
{
    static const char NAME[] = "<a href=\"https://evil.test\">ceo@bank.test</a>, V\xe2\x80\xae <v@evil.test>";
    static const char SHOWN[] = "a href= https //evil.test ceo bank.test /a V v evil.test";
    const sb_content given = {.subject = "{{name}}", .body = "<p title='{{name}}'>", .text = "{{name}}"};
    const char *payload = "{\"code\":\"123456\",\"mail\":\"v@evil.test\",\"name\":\"<a href=\\\"https://evil.test\\\">"
                          "ceo@bank.test</a>, V\\u202e <v@evil.test>\"}";

    test("a value is a name and never an address");
    const char *senders[][3] = {
        {"{{name}}", sb_concat(SHOWN, " <own@x.test>", NULL), SHOWN},
        {"{{mail}}", "v evil.test <own@x.test>", "v evil.test"},
        {"{{name}} <team@x.test>", sb_concat(SHOWN, " <team@x.test>", NULL),
         sb_concat(SHOWN, " <team@x.test>", NULL)},
        {"Team <{{mail}}>", "Team <own@x.test>", "Team"},
        {"<{{mail}}>", "Own <own@x.test>", NULL},
        {"{{code}}@x.test", "Own <own@x.test>", NULL},
        {"Team <team@x.test>", "Team <team@x.test>", "Team <team@x.test>"},
    };
    sb_message message = message_with("alice@example.net", payload);
    for (size_t i = 0; i < sizeof senders / sizeof *senders; i++) {
        sb_content content = given;
        content.send_from = senders[i][0];
        message.content = &content;
        CHECK_TEXT(sb_mailbox_text(sb_sender(&message, "own@x.test", "Own")), senders[i][1]);
        check_optional(sb_content_of(&message)->send_from, senders[i][2]);
    }
    const char *replies[][2] = {
        {"{{mail}}", NULL},
        {"Help <{{mail}}>", NULL},
        {"help+{{code}}@x.test", NULL},
        {"Help {{mail}} <help@x.test>", "Help v evil.test <help@x.test>"},
        {"help@x.test", "help@x.test"},
    };
    for (size_t i = 0; i < sizeof replies / sizeof *replies; i++) {
        sb_content content = given;
        content.reply_to = replies[i][0];
        message.content = &content;
        check_optional(sb_reply_to(&message), replies[i][1]);
        check_optional(sb_content_of(&message)->reply_to, replies[i][1]);
    }

    test("a value is text in HTML and never markup");
    message = message_with("alice@example.net", payload);
    message.content = &given;
    CHECK_TEXT(sb_content_of(&message)->body,
               "<p title='&lt;a href=&quot;https://evil.test&quot;&gt;ceo@bank.test&lt;/a&gt;, V\xe2\x80\xae "
               "&lt;v@evil.test&gt;'>");
    CHECK_TEXT(sb_content_of(&message)->text, NAME);
    message.unescaped_html = true;
    CHECK_TEXT(sb_content_of(&message)->body, sb_concat("<p title='", NAME, "'>", NULL));
}

static const void *no_settings(const sb_json *settings)
{
    return settings;
}

static const void *fails_late(const sb_json *settings)
{
    sb_fail(sb_failure_new(SB_INVALID_SETTINGS, "wrong"));
    return settings;
}

static sb_request *with_header(const void *settings, const sb_message *message)
{
    const sb_pair form[] = {{"To", message->recipient},
                            {"Body", "a b&c=ü*"},
                            {"Left", NULL},
                            {"Empty", ""},
                            {NULL, NULL}};
    sb_request *request = sb_post_form("https://x.example/", form);
    sb_header(request, "x-name", sb_string(sb_member(settings, "name")));
    return request;
}

static sb_outcome sent_by(const sb_connector *connector, const char *settings,
                          const char *recipient, const char *payload)
{
    sb_message message = message_with(recipient, "{}");
    sb_host_answers(200, "");
    return sb_send(connector, settings, strlen(settings), &message, payload, strlen(payload));
}

static void sends_fail_before_anything_is_sent(void)
{
    sb_connector connector = {.settings = no_settings, .request = with_header};

    test("a form leaves out what is missing and keeps what is empty");
    CHECK(sent_by(&connector, "{\"name\":\"n\"}", "+49", "{}").sent);
    CHECK_TEXT(sb_test_host.request->body, "To=%2B49&Body=a+b%26c%3D%C3%BC*&Empty=");

    test("a header that would end its line is refused");
    sb_outcome outcome = sent_by(&connector, "{\"name\":\"a\\r\\nb: c\"}", "+49", "{}");
    CHECK(!outcome.sent && outcome.failure.kind == SB_INVALID_SETTINGS);
    CHECK(sb_test_host.requests == 0);

    test("a recipient with control characters is refused");
    outcome = sent_by(&connector, "{}", "a@b\r\n", "{}");
    CHECK(!outcome.sent && outcome.failure.kind == SB_REJECTED && sb_test_host.requests == 0);
    sb_reset();
    outcome = sent_by(&connector, "{}", "a\xC2\x85", "{}");
    CHECK(!outcome.sent && outcome.failure.kind == SB_REJECTED && sb_test_host.requests == 0);

    test("a payload that is no object is refused");
    outcome = sent_by(&connector, "{}", "+49", "[]");
    CHECK(!outcome.sent && outcome.failure.kind == SB_REJECTED && sb_test_host.requests == 0);

    test("settings that are no JSON are refused");
    outcome = sent_by(&connector, "{", "+49", "{}");
    CHECK_TEXT(outcome.failure.message, "settings: expected JSON");

    test("nothing is sent once a failure is noted");
    connector.settings = fails_late;
    outcome = sent_by(&connector, "{}", "+49", "{}");
    CHECK(!outcome.sent && sb_test_host.requests == 0);
    CHECK_TEXT(outcome.failure.message, "wrong");

    test("what surely did not arrive is told from what may have");
    CHECK(sb_failure_of_http(SB_HTTP_DNS, NULL).kind == SB_UNAVAILABLE);
    CHECK(sb_failure_of_http(SB_HTTP_TLS, NULL).kind == SB_UNAVAILABLE);
    CHECK(sb_failure_of_http(SB_HTTP_TIMEOUT, NULL).kind == SB_UNKNOWN);
    CHECK(sb_failure_of_http(SB_HTTP_RESPONSE_TOO_LARGE, NULL).kind == SB_UNKNOWN);
    CHECK_TEXT(sb_failure_of_http(SB_HTTP_INVALID_REQUEST, "in words").message, "in words");
}

/** No connector of its own: the sends above bring theirs. */
const sb_connector sendbox_connector = {.settings = NULL};

int main(void)
{
    json_is_read_strictly();
    json_is_bounded();
    json_is_made();
    texts_are_utf8();
    settings_are_checked();
    addresses_are_canonical();
    failures_are_classified();
    messages_keep_their_secrets();
    values_stay_values();
    sends_fail_before_anything_is_sent();
    return result("sdk");
}

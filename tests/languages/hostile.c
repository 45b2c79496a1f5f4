/**
 * Does its worst, as its settings say.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sendbox.h"

SB_FILE(schema, "settings.schema.json");
SB_FILE(readme, "README.md");

/** What is never looked at would be left out. */
static void *volatile kept;

static const void *read_settings(const sb_json *json)
{
    return sb_need_text(json, "act");
}

static sb_receipt send(const void *given, const sb_message *message)
{
    const char *act = given;
    const sb_receipt accepted = {NULL, NULL};
    volatile unsigned turns = 0;
    (void)message;
    if (strcmp(act, "endless-loop") == 0) {
        for (;;) {
            turns++;
        }
    } else if (strcmp(act, "memory-bomb") == 0) {
        for (;;) {
            kept = memset(malloc(1 << 20), 1, 1 << 20);
        }
    } else if (strcmp(act, "log-flood") == 0) {
        for (int line = 0; line < 1000; line++) {
            printf("words words words words words words words words words words words words\n");
        }
    } else if (strcmp(act, "throw") == 0) {
        fprintf(stderr, "thrown as told\n");
        abort();
    } else if (strcmp(act, "exit") == 0) {
        exit(7);
    }
    return accepted;
}

const sb_connector sendbox_connector = {
    .about =
        {
            .id = "hostile",
            .channel = SB_SMS,
            .version = "0.1.0",
            .titles = {{"en", "Hostile"}},
            .descriptions = {{"en", "Does its worst."}},
            .settings_schema = schema,
            .hosts = {"echo.example.com"},
            .readme = readme,
        },
    .settings = read_settings,
    .send = send,
};

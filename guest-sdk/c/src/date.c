/** Moments in UTC, by the Gregorian calendar. */

#include <string.h>

#include "internal.h"

/** A moment's parts. */
typedef struct {
    int64_t year;
    int64_t month; /**< March is 0, February 11. */
    int64_t day;
    int64_t weekday; /**< Thursday, the epoch's, is 0. */
    int64_t second;  /**< Of the day. */
} utc;

static utc utc_of(uint64_t milliseconds)
{
    const int64_t seconds = (int64_t)(milliseconds / 1000);
    const int64_t days = seconds / 86400;
    /* Whole 400-year cycles, then years and months that begin in March, so that the leap day is
     * last. */
    const int64_t shifted = days + 719468;
    const int64_t of_era = shifted % 146097;
    const int64_t year_of_era = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    const int64_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const int64_t month = (5 * of_year + 2) / 153;
    return (utc){.year = year_of_era + shifted / 146097 * 400 + (month >= 10 ? 1 : 0),
                 .month = month,
                 .day = of_year - (153 * month + 2) / 5 + 1,
                 .weekday = days % 7,
                 .second = seconds % 86400};
}

/** A number of at least so many digits. */
static const char *padded(int64_t number, size_t digits)
{
    const char *text = sb_decimal(number);
    while (strlen(text) < digits) {
        text = sb_concat("0", text, NULL);
    }
    return text;
}

/** The time of day, with a text between its parts. */
static const char *time_of(utc moment, const char *between)
{
    return sb_concat(padded(moment.second / 3600, 2), between, padded(moment.second / 60 % 60, 2),
                     between, padded(moment.second % 60, 2), NULL);
}

const char *sb_mail_date(uint64_t milliseconds)
{
    static const char weekdays[] = "Thu\0Fri\0Sat\0Sun\0Mon\0Tue\0Wed";
    static const char months[] = "Mar\0Apr\0May\0Jun\0Jul\0Aug\0Sep\0Oct\0Nov\0Dec\0Jan\0Feb";
    const utc moment = utc_of(milliseconds);
    return sb_concat(weekdays + 4 * moment.weekday, ", ", padded(moment.day, 2), " ",
                     months + 4 * moment.month, " ", padded(moment.year, 4), " ",
                     time_of(moment, ":"), " +0000", NULL);
}

const char *sb_basic_date(uint64_t milliseconds)
{
    const utc moment = utc_of(milliseconds);
    return sb_concat(padded(moment.year, 4), padded((moment.month + 2) % 12 + 1, 2),
                     padded(moment.day, 2), "T", time_of(moment, ""), "Z", NULL);
}

/* SPDX-License-Identifier: BSD-3-Clause */
#include "base/text.h"

#include "base/error.h"
#include "base/hash.h"
#include "base/mem.h"
#include "test.h"

static void text_grows(void **state)
{
    (void)state;
    nci_text text = {0};
    for (int i = 0; i < 1000; i++)
        nci_text_add(&text, "%d,", i);
    char *taken = nci_text_take(&text);
    assert_int_equal(strlen(taken), 3890);
    assert_int_equal(strncmp(taken, "0,1,2,", 6), 0);
    nci_free(taken);
}

static void json_strings_hold_nothing_that_ends_them(void **state)
{
    (void)state;
    nci_text text = {0};
    nci_text_add_json(&text, "a\"b\\c\n\x7f\xc3\xa9");
    nci_text_add_json(&text, "");
    char *taken = nci_text_take(&text);
    assert_string_equal(taken, "\"a\\\"b\\\\c????\"\"\"");
    nci_free(taken);
}

static void strings_split_skips_empty_pieces(void **state)
{
    (void)state;
    nci_strings list = {0};
    assert_true(nci_strings_split(&list, ", lat,,lon ", ", "));
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[1], "lon");
    assert_true(nci_strings_has(&list, "lat"));
    nci_strings_fini(&list);
}

static void suggest_finds_the_nearest(void **state)
{
    (void)state;
    const char *words[] = {"mean", "max", "min", "median"};
    assert_string_equal(nci_suggest("maen", words, 4), "mean");
    assert_string_equal(nci_suggest("medain", words, 4), "median");
    assert_null(nci_suggest("xyzzy", words, 4));
}

static void intern_gives_one_pointer(void **state)
{
    (void)state;
    char name[32];
    const char *first = nci_intern("name 7");
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof name, "name %d", i);
        assert_string_equal(nci_intern(name), name);
    }
    assert_ptr_equal(nci_intern("name 7"), first);
}

static void error_wrap_puts_context_first(void **state)
{
    (void)state;
    ncg_error err;
    nci_fail(&err, NCG_EIO, "read %d bytes", 7);
    assert_int_equal(nci_error_wrap(&err, "file %s", "a.nc"), NCG_EIO);
    assert_string_equal(err.message, "file a.nc: read 7 bytes");
    char text[600];
    memset(text, 'm', sizeof text);
    text[599] = '\0';
    nci_fail(&err, NCG_EIO, "%s", text);
    nci_error_wrap(&err, "ctx");
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    assert_int_equal(strncmp(err.message, "ctx: mmm", 8), 0);
}

static void hash_depends_on_boundaries(void **state)
{
    (void)state;
    nci_hash a, b;
    nci_hash_init(&a, "t");
    nci_hash_init(&b, "t");
    nci_hash_text(&a, "ab");
    nci_hash_text(&a, "c");
    nci_hash_text(&b, "a");
    nci_hash_text(&b, "bc");
    assert_false(nci_token_equal(nci_hash_done(&a), nci_hash_done(&b)));
}

static void bytes_are_formatted(void **state)
{
    (void)state;
    char out[32];
    assert_string_equal(nci_format_bytes(999, out), "999 B");
    assert_string_equal(nci_format_bytes(12.34e9, out), "12.3 GB");
    assert_string_equal(nci_format_bytes(999.96e3, out), "1.0 MB");
}

NCG_TESTS(NCG_TEST(text_grows),
          NCG_TEST(json_strings_hold_nothing_that_ends_them),
          NCG_TEST(strings_split_skips_empty_pieces),
          NCG_TEST(suggest_finds_the_nearest),
          NCG_TEST(intern_gives_one_pointer),
          NCG_TEST(error_wrap_puts_context_first),
          NCG_TEST(hash_depends_on_boundaries), NCG_TEST(bytes_are_formatted))

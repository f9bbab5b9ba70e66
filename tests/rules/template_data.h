/* template_data.h -- the value that the tables of templates are executed on. The generator of
 * tests/golden/templates.jsonl has the same one in Go. */
#ifndef TESTS_RULES_TEMPLATE_DATA_H
#define TESTS_RULES_TEMPLATE_DATA_H

#include "rules/template.h"

static const char *const ITEM_FIELDS[] = {"Labels", "Value", NULL};
static const struct template_type ITEM = {
    .name = "main.Item", .kind = TEMPLATE_KIND_OBJECT, .fields = ITEM_FIELDS};
static const struct template_type ITEM_POINTER = {.name = "*main.Item",
                                                  .kind = TEMPLATE_KIND_OBJECT,
                                                  .fields = ITEM_FIELDS,
                                                  .is_pointer = true,
                                                  .target = &ITEM};
static const struct template_type ITEMS = {
    .name = "[]*main.Item", .kind = TEMPLATE_KIND_LIST, .elem = &ITEM_POINTER};

static const char *const DATA_FIELDS[] = {"Labels", "Value", "Any",   "Nil",  "Str",  "Int",
                                          "Yes",    "List",  "Items", "Item", "None", NULL};
static const struct template_type DATA = {
    .name = "main.Data", .kind = TEMPLATE_KIND_OBJECT, .fields = DATA_FIELDS};

static struct template_value test_data(void)
{
    static struct template_entry labels[3], inner[2], any[3];
    static struct template_value fields[11], item[2], other[2], items[2], list[3];
    labels[0] = (struct template_entry){STR("alertname"), template_string(STR("High"))};
    labels[1] = (struct template_entry){STR("instance"), template_string(STR("a:9100"))};
    labels[2] = (struct template_entry){STR("job"), template_string(STR("node"))};
    inner[0] = (struct template_entry){STR("a"), template_string(STR("1"))};
    inner[1] = (struct template_entry){STR("b"), template_string(STR("2"))};
    item[0] = template_map(&TEMPLATE_STRING_MAP, inner, 2);
    item[1] = template_float(0.5);
    other[0] = template_map(&TEMPLATE_STRING_MAP, inner, 1);
    other[1] = template_float(1234567);
    items[0] = template_object(&ITEM_POINTER, item);
    items[1] = template_object(&ITEM_POINTER, other);
    list[0] = template_string(STR("x"));
    list[1] = template_string(STR("y z"));
    list[2] = template_string(STR("\"q\""));
    any[0] = (struct template_entry){STR("f"), template_boxed(template_float(2.5))};
    any[1] = (struct template_entry){STR("n"), {.boxed = true}};
    any[2] = (struct template_entry){STR("s"), template_boxed(template_string(STR("str")))};
    fields[0] = template_map(&TEMPLATE_STRING_MAP, labels, 3);
    fields[1] = template_boxed(template_float(1234567));
    fields[2] = template_map(&TEMPLATE_ANY_MAP, any, 3);
    fields[3] = (struct template_value){.boxed = true};
    fields[4] = template_string(STR("<b>\"O'Neil\" & co</b>"));
    fields[5] = template_int(42);
    fields[6] = template_bool(true);
    fields[7] = template_list(&TEMPLATE_STRINGS, list, 3);
    fields[8] = template_list(&ITEMS, items, 2);
    fields[9] = template_object(&ITEM, item);
    fields[10] = template_object(&ITEM_POINTER, NULL);
    return template_object(&DATA, fields);
}

#endif

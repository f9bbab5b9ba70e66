# How ctest of both build trees shares the processors (script/test: two places a processor). What computes
# takes two places, what mostly waits for clocks and sockets one; the longest begin first, so that none is
# left for the end. A test that is in neither list is short.

set(WAITING_UNIT # the other unit tests compute
    http/test_gate ingest/test_sd_kubernetes notify/test_heartbeat notify/test_history_post
    notify/test_outage notify/test_service rules/test_manager)
set(COMPUTING_E2E # half of a processor or more
    test_crash test_demo_queries test_example_rules test_faults test_heavy_queries test_inside
    test_overload test_peers_promtool test_query test_random_queries test_rot test_rules_replay_url
    test_scrape_hostile test_security test_streams)
set(LONGEST # of their time in the suite, longest first
    e2e/test_overload e2e/test_prometheus e2e/test_faults e2e/test_senders query/test_engine_random
    e2e/test_rot e2e/test_scrape_access e2e/test_scrape e2e/test_peers_prometheus e2e/test_example_rules
    e2e/test_demo_queries e2e/test_retention e2e/test_outage storage/test_db_faults e2e/test_discovery
    e2e/test_alertmanagers e2e/test_crash storage/test_db_crash e2e/test_disk e2e/test_notify
    e2e/test_peers_vm e2e/test_scrape_connections e2e/test_tls e2e/test_receivers_alertmanager
    storage/test_db_rot e2e/test_health e2e/test_alert_delivery e2e/test_alertmanager_api
    e2e/test_security e2e/test_alert_trial e2e/test_maintenance e2e/test_critical_looks
    e2e/test_alert_compliance storage/test_wal_crash e2e/test_exporters_npm e2e/test_digests
    query/test_result_cache notify/test_heartbeat rules/test_manager e2e/test_exporters
    e2e/test_delivery e2e/test_heartbeats e2e/test_streams storage/test_db_model)
list(LENGTH LONGEST longest_count)

# Places and turn of the test `name`, which stands as `key` in the lists above.
function(schedule name key)
    get_filename_component(stem ${key} NAME)
    if(key IN_LIST WAITING_UNIT OR (key MATCHES "^e2e/" AND NOT stem IN_LIST COMPUTING_E2E))
        set(places 1)
    else()
        set(places 2)
    endif()
    list(FIND LONGEST ${key} turn)
    if(turn GREATER -1)
        math(EXPR turn "${longest_count} - ${turn}")
    else()
        set(turn 0)
    endif()
    set_tests_properties(${name} PROPERTIES PROCESSORS ${places} COST ${turn})
endfunction()

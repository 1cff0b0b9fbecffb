#include "test/suite.h"
Suite *net_webrtc_storm_suite(void);

Suite *net_webrtc_storm_suite(void)
{
    return suite_create("net/webrtc_storm");
}

#include "test/suite.h"
Suite *net_webrtc_refused_suite(void);

Suite *net_webrtc_refused_suite(void)
{
    return suite_create("net/webrtc_refused");
}

# SPDX-License-Identifier: GPL-3.0-or-later
# The real daemon against real media stacks and synthetic load: test/integration/. Each script
# prints "N passed, M failed"; they use Debian's python3 and its standard library.
if(NOT SLUICE_FUZZ)
  add_executable(sluice-load integration/load.c)
  target_link_libraries(sluice-load PRIVATE sluice_flags sluice_core)
  set_target_properties(sluice-load PROPERTIES SLUICE_TEST ON)
endif()
sluice_test_script(media_ffmpeg test/integration/media_ffmpeg.py LABELS integration)
sluice_test_script(media_gstreamer test/integration/media_gstreamer.py LABELS integration)
sluice_test_script(control_robust test/integration/control_robust.py LABELS integration)
sluice_test_script(unprivileged test/integration/unprivileged.py LABELS integration)
sluice_test_script(overload test/integration/overload.py LABELS integration)
sluice_test_script(soak_wrap test/integration/soak_wrap.py LABELS integration TIMEOUT 900)
sluice_test_script(soak_echo test/integration/soak_echo.py LABELS integration TIMEOUT 900)
sluice_test_script(churn test/integration/churn.py LABELS integration TIMEOUT 900)

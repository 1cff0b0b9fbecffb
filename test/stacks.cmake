# SPDX-License-Identifier: GPL-3.0-or-later
# WebRTC stacks that publish by WHIP and play by WHEP through the real relay: test/stacks/.
foreach(stack gstreamer chromium wrtc werift firefox)
  sluice_test_script(stack_${stack} test/stacks/run.sh ARGS ${stack} LABELS integration)
endforeach()

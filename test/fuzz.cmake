# SPDX-License-Identifier: GPL-3.0-or-later
# Fuzz targets, one a line: sluice_fuzz(rtp_packet LIBS sluice_rtp)
sluice_fuzz(rtp_packet LIBS sluice_rtp)
sluice_fuzz(rtp_ext LIBS sluice_rtp)
sluice_fuzz(rtcp_packet LIBS sluice_rtcp)
sluice_fuzz(rtp_codec LIBS sluice_rtp)
sluice_fuzz(ortc LIBS sluice_ctl)
sluice_fuzz(rtp_rewrite LIBS sluice_rtp)
sluice_fuzz(rtp_seal LIBS sluice_rtp)

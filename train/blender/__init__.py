# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders the default avatars and their truth pictures with Cycles. See LICENSE: this folder is GPL, the rest of the project is not."""

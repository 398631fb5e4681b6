"""The course walked by a program: its six sections in a lab, over XenAPI, told and measured.

`findings` and `report` know plain values alone; the modules of the sections act.
"""

"""Simulators of the services that the hub talks to, on one shared world, with a control address and scripted faults."""

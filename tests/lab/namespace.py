"""Network namespaces, the veth links between them, and the processes inside."""

from process import Process, end, run


class Namespace:
    """One host of the lab: its own interfaces, routes and processes, without access to the network of the machine."""

    def __init__(self, name):
        self.name = name
        self.created = False

    def create(self):
        run("ip", "netns", "add", self.name)
        self.created = True
        # Without duplicate address detection an IPv6 address is usable the moment it is added. An anycast reply may
        # leave by another interface than the one its route points to, which a reverse path filter would drop.
        self.set_kernel_parameters(
            "net.ipv6.conf.all.accept_dad=0",
            "net.ipv6.conf.default.accept_dad=0",
            "net.ipv4.conf.all.rp_filter=0",
            "net.ipv4.conf.default.rp_filter=0",
        )
        self.ip("link", "set", "lo", "up")

    def set_kernel_parameters(self, *settings):
        run(*self.inside("sysctl", "-q", "-w", *settings))

    def kernel_parameter(self, name):
        return run(*self.inside("sysctl", "-n", name)).strip()

    def forward_packets(self):
        self.set_kernel_parameters("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")

    def ip(self, *words):
        """Runs `ip -n NAME …`."""
        return run("ip", "-n", self.name, *words)

    def link(self, interface, other, other_interface):
        """Connects this namespace with another one. Each end is created in its namespace, so that no names clash outside."""
        self.ip(
            *("link", "add", "name", interface, "type", "veth"),
            *("peer", "name", other_interface, "netns", other.name),
        )
        self.ip("link", "set", interface, "up")
        other.ip("link", "set", other_interface, "up")

    def add_address(self, interface, *addresses):
        for address in addresses:
            self.ip("address", "add", address, "dev", interface, *(["nodad"] if ":" in address else []))

    def inside(self, *command):
        """The command line that runs a command in the namespace. `ip netns exec` replaces itself, so the process ID is the command's."""
        return ["ip", "netns", "exec", self.name, *map(str, command)]

    def start(self, *command, **where):
        return Process(self.inside(*command), **where)

    def end_processes(self):
        """Kills the processes that still run inside; only the lab starts processes there."""
        if self.created:
            for pid in run("ip", "netns", "pids", self.name, may_fail=True).split():
                end(int(pid))

    def delete(self):
        if self.created:
            self.end_processes()
            run("ip", "netns", "delete", self.name, may_fail=True)

/* What a probe costs at least: the bare system calls, without engine, timers and log. `measure` builds and runs it.
 *
 * COUNT: answers as many queries at its standard input, which is a UDP socket.
 * COUNT PORT MICROSECONDS: asks as often at this port of 127.0.0.1, each time with a new socket, and sleeps so long behind
 * each. It ends with status 1 where there is no answer.
 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>
static char query[] = "\0\1\1\0\0\1\0\0\0\0\0\0\11localhost\0\0\1\0\1", received[512],
            answer[] = "\0\0\201\200\0\1\0\1\0\0\0\0\11localhost\0\0\1\0\1\300\14\0\1\0\1\0\0\16\20\0\4\177\0\0\1";
int main(int argc, char **argv) {
    struct sockaddr_in peer = {AF_INET, htons(argc > 2 ? atoi(argv[2]) : 0), {htonl(INADDR_LOOPBACK)}, {0}};
    socklen_t size = sizeof peer;
    alarm(120);  /* whatever happens, nothing is left behind */
    for (int count = atoi(argv[1]); count > 0; count--) {
        if (argc == 2) {
            recvfrom(0, answer, 2, 0, (struct sockaddr *)&peer, &size);  /* the ID, and no more */
            sendto(0, answer, sizeof answer - 1, 0, (struct sockaddr *)&peer, size);
            continue;
        }
        struct pollfd probe = {socket(AF_INET, SOCK_DGRAM, 0), POLLIN, 0};
        connect(probe.fd, (struct sockaddr *)&peer, size);
        send(probe.fd, query, sizeof query - 1, 0);
        if (poll(&probe, 1, 5000) != 1 || recv(probe.fd, received, sizeof received, 0) < 12) return 1;
        close(probe.fd);
        if (atoi(argv[3])) usleep(atoi(argv[3]));
    }
}

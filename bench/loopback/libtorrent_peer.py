"""One side with libtorrent: libtorrent_peer.py TORRENT FOLDER PORT [PEER_PORT]. Speaks like node.ts; TCP only, else its own settings."""
import json
import sys

import libtorrent as lt


def say(event):
    print(json.dumps({"event": event}), flush=True)


def wait_for(session, kind):
    while True:
        session.wait_for_alert(1000)
        if any(isinstance(alert, kind) for alert in session.pop_alerts()):
            return


torrent, folder, port, *peer = sys.argv[1:]
session = lt.session({
    "listen_interfaces": f"127.0.0.1:{port}",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_incoming_utp": False,
    "enable_outgoing_utp": False,
    "alert_mask": lt.alert.category_t.status_notification,
})
handle = session.add_torrent({"ti": lt.torrent_info(torrent), "save_path": folder})
wait_for(session, lt.torrent_checked_alert)
say("ready")
sys.stdin.readline()
if peer:
    handle.connect_peer(("127.0.0.1", int(peer[0])))
    wait_for(session, lt.torrent_finished_alert)
    say("done")
sys.stdin.readline()

"""Seeds or downloads one torrent with libtorrent: libtorrent_client.py TORRENT FOLDER PORT [PEER_PORT]. Prints "ready", and "done" when complete."""
import sys
import time

import libtorrent as lt

torrent, folder, port, *peer = sys.argv[1:]
session = lt.session({
    "listen_interfaces": f"127.0.0.1:{port}",
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "allow_multiple_connections_per_ip": True,
})
handle = session.add_torrent({"ti": lt.torrent_info(torrent), "save_path": folder})
while handle.status().state in (lt.torrent_status.checking_files, lt.torrent_status.checking_resume_data):
    time.sleep(0.05)
if peer:
    handle.connect_peer(("127.0.0.1", int(peer[0])))
print("ready", flush=True)
while not handle.status().is_seeding:
    time.sleep(0.05)
print("done", flush=True)
while True:
    time.sleep(1)

//! Two hosts and a cable between them, in memory.

use core::cell::RefCell;
use core::task::Context;
use std::collections::VecDeque;
use std::rc::Rc;
use std::vec;
use std::vec::Vec;

use embassy_futures::block_on;
use embassy_futures::join::join;
use embassy_futures::select::{Either3, select3};
use embassy_net::driver::{Capabilities, Driver, HardwareAddress, LinkState, RxToken, TxToken};
use embassy_net::tcp::TcpSocket;
use embassy_net::{Config, Ipv4Address, Ipv4Cidr, Runner, Stack, StackResources, StaticConfigV4};

const PORT: u16 = 7_000;

type Frames = Rc<RefCell<VecDeque<Vec<u8>>>>;

/// One end of the cable.
struct Card {
    number: u8,
    from: Frames,
    to: Frames,
}

struct Received(Vec<u8>);
struct ToSend<'c>(&'c Frames);

impl RxToken for Received {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(mut self, take: F) -> R {
        take(&mut self.0)
    }
}

impl TxToken for ToSend<'_> {
    fn consume<R, F: FnOnce(&mut [u8]) -> R>(self, length: usize, fill: F) -> R {
        let mut frame = vec![0; length];
        let outcome = fill(&mut frame);
        self.0.borrow_mut().push_back(frame);
        outcome
    }
}

/// Whoever drives it polls again and again, and need not be woken.
impl Driver for Card {
    type RxToken<'c> = Received;
    type TxToken<'c> = ToSend<'c>;

    fn receive(&mut self, _: &mut Context<'_>) -> Option<(Received, ToSend<'_>)> {
        let frame = self.from.borrow_mut().pop_front()?;
        Some((Received(frame), ToSend(&self.to)))
    }

    fn transmit(&mut self, _: &mut Context<'_>) -> Option<ToSend<'_>> {
        Some(ToSend(&self.to))
    }

    fn link_state(&mut self, _: &mut Context<'_>) -> LinkState {
        LinkState::Up
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::default();
        capabilities.max_transmission_unit = 590;
        capabilities
    }

    fn hardware_address(&self) -> HardwareAddress {
        HardwareAddress::Ethernet([2, 0, 0, 0, 0, self.number])
    }
}

/// Bytes of one end's TCP buffers.
pub(super) struct Rings {
    pub(super) receive: usize,
    pub(super) transmit: usize,
}

/// Has `talk` happen between a socket that dialled and one that was dialled.
pub(super) fn between<T>([dials, listens]: [Rings; 2], talk: impl AsyncFnOnce(TcpSocket<'_>, TcpSocket<'_>) -> T) -> T {
    let (there, back) = (Frames::default(), Frames::default());
    let mut resources = (StackResources::<1>::new(), StackResources::<1>::new());
    let (here, mut carries) = host(Card { number: 1, from: back.clone(), to: there.clone() }, &mut resources.0);
    let (far, mut carries_too) = host(Card { number: 2, from: there, to: back }, &mut resources.1);
    let mut rooms = [dials.receive, dials.transmit, listens.receive, listens.transmit].map(|bytes| vec![0; bytes]);
    let [receive, transmit, receive_there, transmit_there] = &mut rooms;
    let mut dials = TcpSocket::new(here, receive, transmit);
    let mut listens = TcpSocket::new(far, receive_there, transmit_there);
    block_on(async {
        let talked = async {
            let (dialled, heard) = join(dials.connect((address(2), PORT)), listens.accept(PORT)).await;
            dialled.unwrap();
            heard.unwrap();
            talk(dials, listens).await
        };
        match select3(carries.run(), carries_too.run(), talked).await {
            Either3::Third(talked) => talked,
        }
    })
}

fn host(card: Card, resources: &mut StackResources<1>) -> (Stack<'_>, Runner<'_, Card>) {
    let number = card.number;
    let address = Ipv4Cidr::new(address(number), 24);
    let config = StaticConfigV4 { address, gateway: None, dns_servers: Default::default() };
    embassy_net::new(card, Config::ipv4_static(config), resources, u64::from(number))
}

fn address(number: u8) -> Ipv4Address {
    Ipv4Address::new(10, 0, 0, number)
}
